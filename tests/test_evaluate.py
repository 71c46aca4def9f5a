"""evaluate.py: a whole evaluation of tiny results, without weights, and what it refuses."""

import csv
import importlib.util
import json
import re
import shutil
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
import pix2pix
import pix2pix_rec
from facegan import files, prepared
from facegan.evaluation import judges, metrics
from facegan.evaluation.weights import Missing
from facegan.regions import LABEL_REGION

FAST = ("--bootstrap", 20)


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """No weights but those of the test, no network, no parser of this checkout, no second opinion."""

    def missing(*_):
        raise Missing("no weights here")

    monkeypatch.chdir(tmp_path)
    for name in ("load_lpips", "load_inception", "load_arcface"):
        monkeypatch.setattr(judges, name, missing)


@pytest.fixture
def results(trained, tmp_path):
    """A copy of the results of ten faces."""
    return shutil.copytree(trained(pix2pix).results, tmp_path / "results")


def save_parser(run, size: int, train: list[int], source: str) -> None:
    """A parser that says skin (label 1) everywhere."""
    photo = keras.Input((size, size, 3))
    network = keras.Model(photo, keras.layers.Conv2D(19, 1, kernel_initializer="zeros")(photo))
    bias = np.zeros(19)
    bias[1] = 1
    network.layers[-1].set_weights([np.zeros((1, 1, 3, 19)), bias])
    run.mkdir()
    network.save(run / "parser.keras")
    files.write_text(run / "args.json", json.dumps({"size": size}))
    files.write_text(run / "split.json", json.dumps({"source": {"source": source}, "train": train, "test": []}))


def scores(folder):
    return json.loads((folder / "scores.json").read_text())


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- a whole evaluation -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcome(trained, prepared_64, tmp_path_factory, call):
    """The results of pix2pix.py with a parser: outcome, folder of the evaluation."""
    out, parser = tmp_path_factory.mktemp("evaluated"), tmp_path_factory.mktemp("parser") / "run"
    save_parser(parser, 64, [3], "elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "load_lpips", mock.Mock(side_effect=Missing("get it there")))
        flags = ("--skip", "fid", "arcface", "--parser", parser)
        done = call(evaluate, "--results", trained(pix2pix).results, "--out", out, *flags, *FAST)
    assert done.status == 0, done.err
    return done, out


def test_everything_is_written(outcome):
    done, out = outcome
    names = {f"{which}_16_{kind}.png" for which in ("best", "worst") for kind in ("rec", "man")}
    assert {path.name for path in out.iterdir()} == names | {"scores.json", "scores.md", "scores.csv", "histograms.png"}
    assert (out / "scores.md").read_text() in done.out
    assert Image.open(out / "best_16_man.png").width > 10 * 64


def test_the_table_has_a_value_and_an_interval(outcome):
    done, _ = outcome
    (line,) = [line for line in done.out.splitlines() if line.startswith("| L1 inside")]
    assert re.fullmatch(r"\| L1 inside the regions \| lower \| (0\.\d{4}) \[0\.\d{4}, 0\.\d{4}\] \|  \| .*", line)
    assert "lpips is left out: get it there" in done.out
    assert "fid is left out" not in done.out  # whoever says --skip knows


def test_scores_agree_with_what_test_itself_measured(outcome, trained):
    _, out = outcome
    found, tested = rows(out / "scores.csv"), rows(trained(pix2pix).results / "results.csv")
    assert [row["k"] for row in found] == [row["k"] for row in tested]
    for a, b in zip(found, tested, strict=True):
        assert float(a["rec_l1"]) == pytest.approx(float(b["l1_rec"]), abs=0.002)  # PNGs are rounded
        assert float(a["cmask_l1"]) == pytest.approx(float(b["l1_cmask"]), abs=0.002)
        assert float(a["man_l1_agree"]) == pytest.approx(float(b["l1_man_agree"]), abs=0.002)
    mean = np.mean([float(row["rec_l1"]) for row in found])
    value = scores(out)["scores"]["rec"]["l1"]
    assert value["value"] == pytest.approx(mean, abs=1e-5)
    assert value["low"] < value["value"] < value["high"]


def test_maps_are_scored_against_the_one_that_was_painted(outcome, prepared_64):
    """The parser says skin everywhere, so its accuracy is the share of skin in the map."""
    _, out = outcome
    for row in rows(out / "scores.csv"):
        for kind, k in (("rec", row["k"]), ("man", row["map_k"]), ("real", row["k"])):
            with np.load(prepared_64 / "samples" / f"{k}.npz") as sample:
                skin = (LABEL_REGION[sample["Labels"]] == 1).mean()
            assert float(row[f"{kind}_accuracy"]) == pytest.approx(skin, abs=1e-5)
    assert 0 < scores(out)["scores"]["rec"]["miou"]["value"] < 0.1  # one region of seven


def test_photographs_score_as_photographs(outcome):
    _, out = outcome
    real = scores(out)["scores"]["real"]
    assert real["color"]["value"] < 0.01
    assert real["identity"]["value"] < scores(out)["others_identity"]
    assert "checkerboard" not in real


def test_the_protocol_says_what_was_done(outcome, trained):
    _, out = outcome
    protocol = scores(out)["protocol"]
    assert (protocol["split"], protocol["size"], protocol["faces"], protocol["bootstrap"]) == ("all", 64, 10, 20)
    assert protocol["results"]["step"] == 12
    assert protocol["parser"]["size"] == 64
    assert len(protocol["weights"]["parser"]["sha256"]) == 64
    assert protocol["versions"]["tensorflow"]
    assert "chance is 0.1000" in protocol["retrieval"]
    assert protocol["ms_ssim"].startswith("3 of the five scales")
    assert protocol["command"][1] == "--results"


class Opinion:
    """In place of ArcFace: the mean colours of a picture's quarters."""

    def landmarks(self, photo):
        return np.zeros((1, 10))

    def __call__(self, picture, landmarks):
        return picture.reshape(2, 32, 2, 32, 3).mean((1, 3)).ravel()


def test_equal_pictures_have_perfect_scores(results, call, monkeypatch):
    """The reconstruction is the photograph, and the manipulated picture that of the other face."""
    simple = {
        "load_lpips": lambda a, b: np.abs(a.astype(float) - b).mean((1, 2, 3)) / 255,
        "load_arcface": Opinion(),
    }
    if importlib.util.find_spec("torchmetrics"):  # for KID
        simple["load_inception"] = lambda pictures: pictures.mean((1, 2), dtype=np.float32)
    for name, network in simple.items():
        monkeypatch.setattr(judges, name, mock.Mock(return_value=(network, Path(__file__))))
    photo = {int(path.stem.split("_")[0]): path for path in results.glob("*_real.png")}
    for row in rows(results / "results.csv"):
        shutil.copy(photo[int(row["k"])], results / f"{row['k']}_rec.png")
        shutil.copy(photo[int(row["map_k"])], results / f"{row['k']}_man.png")
    done = call(evaluate, "--results", results, *FAST)
    assert done.status == 0, done.err
    rec, man = (scores(results / "evaluation")["scores"][kind] for kind in ("rec", "man"))
    perfect = {"l1": 0, "psnr": 100, "ssim": 1, "ms_ssim": 1, "identity": 0, "same_person": 1, "retrieval": 1}
    perfect |= {"lpips": 0, "arcface": 0} | ({"fid": 0} if "load_inception" in simple else {})
    for name, value in perfect.items():
        assert rec[name]["value"] == pytest.approx(value, abs=1e-5), name
    assert rec["checkerboard"]["value"] == rec["checkerboard_energy"]["value"] == 1
    assert rec["color"]["value"] < 0.01
    assert man["retrieval"]["value"] == 0
    assert man["arcface"]["value"] > 0
    assert man["identity"]["value"] > 0.1
    assert "parser is left out: no runs/parse_face/parser.keras" in done.out
    assert "lpips is left out" not in done.out
    assert {"lpips", "arcface"} <= scores(results / "evaluation")["protocol"]["weights"].keys()


def test_whole_photographs_are_blacked_and_two_folders_stand_side_by_side(trained, results, call, tmp_path):
    """pix2pix_rec.py paints the background too, and no manipulated picture."""
    whole = shutil.copytree(trained(pix2pix_rec).results, tmp_path / "whole")
    done = call(evaluate, "--results", results, whole, "--skip", "identity", *FAST)
    assert done.status == 0, done.err
    assert "man" not in scores(whole / "evaluation")["scores"]
    for a, b in zip(rows(whole / "evaluation" / "scores.csv"), rows(whole / "results.csv"), strict=True):
        assert float(a["rec_l1"]) == pytest.approx(float(b["l1_rec"]), abs=0.002)
    first, second = (scores(folder / "evaluation")["scores"]["rec"]["l1"]["value"] for folder in (results, whole))
    assert f"(x {second / first:.3f})" in done.out


def test_a_run_on_parts_is_judged_on_the_seven_regions(run_on_parts, trained, prepared_64, tmp_path, call):
    """Beside one on regions: what both show of the photographs scores the same, to the digit."""
    save_parser(tmp_path / "parser", 64, [3], "elsewhere")
    of_parts, of_regions = (
        shutil.copytree(folder, tmp_path / name)
        for name, folder in (("parts", run_on_parts.results), ("regions", trained(pix2pix).results))
    )
    flags = ("--skip", "identity", "--parser", tmp_path / "parser", *FAST)
    done = call(evaluate, "--results", of_regions, of_parts, *flags)
    assert done.status == 0, done.err
    assert "Painted of the 18 parts, judged by the seven regions" in done.out
    assert re.search(r"map: mean IoU of seven regions .*\(x ", done.out)
    one, other = (scores(folder / "evaluation")["scores"] for folder in (of_regions, of_parts))
    assert one["real"] == other["real"]
    assert one["cmask"]["l1"] != other["cmask"]["l1"]  # 18 colours are nearer to the photograph than seven
    for row in rows(of_parts / "evaluation" / "scores.csv"):
        both = [np.load(prepared_64 / "samples" / f"{row[name]}.npz")["Masks"] for name in ("k", "map_k")]
        agree = both[0].any(-1) & (both[0] == both[1]).all(-1)
        pictures = [Image.open(of_parts / f"{row['k']}_{name}.png") for name in ("real", "man")]
        real, man = (np.asarray(picture).astype(float) for picture in pictures)
        assert float(row["man_l1_agree"]) == pytest.approx(np.abs(real - man)[agree].mean() / 255, abs=1e-5)


def test_fid_s_interval_surrounds_its_value():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 64)), rng.normal(0.3, 1, size=(30, 64))
    value = metrics.frechet_distance(a, b)
    found = evaluate.fid_interval(evaluate.Args(bootstrap=100), value, a, b)
    assert found["low"] < value < found["high"]
    assert found["bootstrap_rise"] > 0


def test_kid_s_interval_surrounds_its_value():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(40, 16)), rng.normal(size=(40, 16)), rng.normal(0.5, 1, size=(40, 16))
    low, high = metrics.interval(metrics.kernel_distances(a, b, 200, 0))
    assert low < 0 < high  # of one distribution
    far_low, far_high = metrics.interval(metrics.kernel_distances(a, c, 200, 0))
    assert high < far_low
    (once,) = metrics.kernel_distances(a, c, 1, 0)
    assert far_low < once < far_high


# --- misuse: one sentence, exit status not 0 --------------------------------------------------------------------------


def sentence(outcome, pattern: str) -> None:
    assert outcome.status == 1
    (line,) = [line for line in outcome.err.splitlines() if "face/s" not in line and line.strip()][-1:]
    assert re.match(f"error: .*{pattern}", line), outcome.err


def change_results(results, **about) -> None:
    path = results / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | about))


def change_rows(results, change) -> None:
    header, *rows = (results / "results.csv").read_text().splitlines()
    (results / "results.csv").write_text("\n".join([header, *change(rows)]) + "\n")


def keep_one_face(results) -> None:
    change_rows(results, lambda rows: rows[:1])
    change_results(results, faces=1)


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda folder: shutil.rmtree(folder), "no finished results.*--test"),
        (lambda folder: (folder / "results.json").unlink(), "no finished results.*--test"),
        (lambda folder: (folder / "results.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "results.json").write_text("{}"), "damaged"),
        (lambda folder: change_results(folder, flags=None), "damaged"),
        (keep_one_face, "has 1 face"),
        (
            lambda folder: change_rows(folder, lambda rows: rows[:-1]),
            r"damaged.*results.csv has \d+ rows of \d+ faces, painted were \d+",
        ),
        (lambda folder: change_rows(folder, lambda rows: [*rows[:-1], rows[0]]), "damaged.*rows of"),
        (lambda folder: change_results(folder, source={"size": 128, "source": "other"}), "was painted from.*--data"),
        (lambda folder: (folder / "3_rec.png").unlink(), "3_rec.png is missing or damaged"),
        (lambda folder: (folder / "3_man.png").write_bytes(b"half"), "3_man.png is missing or damaged"),
        (lambda folder: Image.new("RGB", (32, 32)).save(folder / "3_rec.png"), "is 32 x 32, expected 64 x 64"),
        (lambda folder: shutil.copy(folder / "4_real.png", folder / "3_real.png"), "face 3 in .* is not the one"),
    ],
    ids=[
        "none",
        "unfinished",
        "half json",
        "empty json",
        "no flags",
        "one face",
        "fewer rows",
        "a row twice",
        "source",
        "gone",
        "half",
        "size",
        "other face",
    ],
)
def test_results_that_cannot_be_used_are_one_sentence(damage, pattern, results, call):
    damage(results)
    sentence(call(evaluate, "--results", results, *FAST), pattern)
    assert not (results / "evaluation" / "scores.json").exists()


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--bootstrap", 0), "--bootstrap"),
        (("--batch-size", 0), "--batch-size"),
        (("--weights", "nowhere"), "--weights nowhere is no folder"),
        (("--results", "a", "b", "--out", "c"), "--out is for one folder"),
        (("--results", "a", "./a"), "names a folder twice"),
    ],
)
def test_flags_that_make_no_sense_are_one_sentence(flags, pattern, call):
    sentence(call(evaluate, *flags), pattern)


def test_results_of_different_faces_are_not_set_side_by_side(results, prepared_64, call, tmp_path):
    other = shutil.copytree(results, tmp_path / "other")
    change_rows(other, lambda rows: rows[:-1])
    change_results(other, faces=len(rows(other / "results.csv")))
    sentence(call(evaluate, "--results", results, other, *FAST), "of different faces, whose scores do not compare")
    data, again = shutil.copytree(prepared_64, tmp_path / "data"), shutil.copytree(results, tmp_path / "again")
    first, second = (data / "samples" / f"{k}.npz" for k in (3, 4))
    shutil.copy(second, first)
    change_results(again, data=str(data))
    sentence(call(evaluate, "--results", results, again, *FAST), "of different faces, whose scores do not compare")


def test_results_that_are_painted_anew_meanwhile_are_not_scored(results, call, monkeypatch):
    measure = evaluate.measure

    def slow_measure(*args):
        faces = measure(*args)
        change_results(results, step=99)
        return faces

    monkeypatch.setattr(evaluate, "measure", slow_measure)
    sentence(call(evaluate, "--results", results, "--skip", "identity", *FAST), "was painted anew meanwhile")
    assert not (results / "evaluation" / "scores.json").exists()


def test_a_parser_does_not_judge_its_training_faces(results, prepared_64, call, tmp_path):
    save_parser(tmp_path / "parser", 64, [3], json.loads((prepared_64 / "prepared.json").read_text())["source"])
    sentence(call(evaluate, "--results", results, "--parser", tmp_path / "parser"), "was trained on 1 of these faces")


@pytest.mark.parametrize("judge", ["parser", "copy"])
def test_a_parser_does_not_judge_what_was_trained_to_please_it(judge, results, call, tmp_path):
    save_parser(tmp_path / "parser", 64, [3], "elsewhere")
    shutil.copytree(tmp_path / "parser", tmp_path / "copy")
    flags = json.loads((results / "results.json").read_text())["flags"]
    change_results(results, flags={**flags, "map_consistency": 10.0, "parser": str(tmp_path / "parser")})
    outcome = call(evaluate, "--results", results, "--parser", tmp_path / judge)
    sentence(outcome, "trained to please the parser in .*, which must not judge it")


def test_a_parser_does_not_judge_the_maps_it_drew(results, prepared_64, call, tmp_path):
    data = shutil.copytree(prepared_64, tmp_path / "prepared")
    save_parser(tmp_path / "parser", 64, [3], "elsewhere")
    digest = files.sha256(tmp_path / "parser" / "parser.keras")
    files.write_text(data / "faces.json", json.dumps({"3": {"parser": digest}, "4": {"number": 4}}))
    outcome = call(evaluate, "--results", results, "--data", data, "--parser", tmp_path / "parser", *FAST)
    assert outcome.status == 0, outcome.err
    assert "are this parser's own: name another" in outcome.out
    assert "miou" not in scores(results / "evaluation")["scores"]["rec"]


def test_samples_without_labels_are_one_sentence(results, prepared_64, call, tmp_path):
    """A folder that was prepared before the label maps were kept."""
    data = shutil.copytree(prepared_64, tmp_path / "prepared")
    for path in (data / "samples").glob("*.npz"):
        with np.load(path) as archive:
            prepared.write_npz(path, **{name: array for name, array in archive.items() if name != "Labels"})
    save_parser(tmp_path / "parser", 64, [3], "elsewhere")
    outcome = call(evaluate, "--results", results, "--data", data, "--parser", tmp_path / "parser")
    sentence(outcome, "Labels.*g_simple_mask.py")
