"""benchmarks/recipes.py: how it counts time, goes on, and compares. What it starts: the tests of those scripts."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import recipes

from facegan import parsers
from facegan.evaluation import judges


@pytest.fixture
def run(tmp_path) -> Path:
    """A run that trained for 20 seconds: 80 images at 10 a second, 80 at 20; the first 80, with compiling, count as the
    second."""
    folder = tmp_path / "runs" / "default-s0"
    folder.mkdir(parents=True)
    (folder / "args.json").write_text('{"batch_size": 4}')
    (folder / "metrics.csv").write_text("step,images_per_second,val/l1\n20,1,\n40,10,\n40,,0.1\n60,20,\n")
    return folder


def test_time_is_counted_without_the_first_compiling(run, tmp_path):
    assert recipes.trained_seconds(run) == pytest.approx(8 + 8 + 4)
    assert recipes.trained_seconds(tmp_path) == 0


@pytest.mark.parametrize(
    "content", [b"step;images_per_second\n20;1\n", b"\xff\0", b"step,images_per_second\n20,x\n40\n"]
)
def test_a_table_of_another_program_counts_no_time_and_ends_nothing(content, run):
    (run / "metrics.csv").write_bytes(content)
    assert recipes.trained_seconds(run) == 0


@pytest.mark.parametrize(("minutes", "trains"), [(0.25, False), (1.0, True), (0.0, True)])
def test_a_recipe_that_was_stopped_in_testing_is_not_trained_again(minutes, trains, run, monkeypatch, tmp_path):
    calls = []

    def call(script, *flags, **_):
        calls.append((script, flags[0]))
        if script == "evaluate.py":
            scores = run / "results-validation" / "evaluation" / "scores.json"
            scores.parent.mkdir(parents=True)
            scores.write_text('{"scores": {"rec": {}}}')

    monkeypatch.setattr(recipes, "call", call)
    assert recipes.make(recipes.Args(runs=tmp_path / "runs", minutes=minutes), "default", 0) == {"rec": {}}
    assert calls == [("pix2pix.py", "--train")] * trains + [("pix2pix.py", "--test"), ("evaluate.py", "--results")]
    calls.clear()
    recipes.make(recipes.Args(runs=tmp_path / "runs", minutes=minutes), "default", 0)
    assert "evaluate.py" not in [script for script, _ in calls]  # what is finished is left as it is


def test_the_table_has_ratios_to_the_first_and_nothing_where_a_script_has_no_such_score(run, tmp_path):
    for name in ("default", "rec-default"):
        results = tmp_path / "runs" / f"{name}-s0" / "results-validation"
        results.mkdir(parents=True)
        about = {"script": "pix2pix.py", "split": "validation", "data": "d", "source": {"size": 64, "source": "raw"}}
        (results / "results.json").write_text(json.dumps(about | {"step": 60, "flags": {"batch_size": 4}}))
    both = {"rec": {"lpips": {"value": 0.4}}, "man": {"identity": {"value": 0.5}}}
    table = recipes.table(
        recipes.Args(runs=tmp_path / "runs"),
        {"default": [both], "rec-default": [{"rec": {"lpips": {"value": 0.3}}}]},
    )
    assert "| recipe | flags | min | img/s | rec LPIPS | man ID |" in table
    assert "| default | `--batch-size 4` | 0.3 | 12.0 | 0.400 (1.00) | 0.500 (1.00) |" in table
    assert "| rec-default | `pix2pix_rec.py --batch-size 4` |   |   | 0.300 (0.75) |  |" in table


def test_a_missing_judge_is_said_before_anything_is_trained(prepared_64, tmp_path):
    with pytest.raises(recipes.BadInput, match=r"no .*parser.keras: run `python parse_face.py --train"):
        recipes.check_judges(recipes.Args(data=prepared_64, size=64, validation=0.25, parser=tmp_path), ["base"])


@pytest.mark.parametrize("copied", [False, True])
def test_what_is_trained_for_does_not_judge(copied, prepared_64, tmp_path, monkeypatch):
    judge = tmp_path / "judge"
    judge.mkdir()
    (judge / "parser.keras").write_bytes(b"the parser")
    for module, name in ((judges, "load_parser"), (judges, "load_lpips"), (parsers, "load")):
        monkeypatch.setattr(module, name, lambda *_: None)
    loss_parser = shutil.copytree(judge, tmp_path / "copy") if copied else judge
    args = recipes.Args(data=prepared_64, size=64, validation=0.25, parser=judge, loss_parser=loss_parser)
    recipes.check_judges(args, ["base"])
    with pytest.raises(recipes.BadInput, match="what is trained for must not judge"):
        recipes.check_judges(args, ["map-consistency"])
    (judge / "parser.keras").write_bytes(b"another")
    if copied:
        recipes.check_judges(args, ["map-consistency"])


@pytest.mark.parametrize("flags", [["--minutes", "nan"], ["--minutes", "-5"], ["--epochs", "0"]])
def test_a_budget_that_is_none_is_refused_before_it_is_recorded(flags, prepared_64, tmp_path, call):
    outcome = call(recipes, "--data", prepared_64, "--runs", tmp_path / "runs", *flags)
    assert (outcome.status, "expected minutes from 0 on" in outcome.err) == (1, True)
    assert not (tmp_path / "runs").exists()


def test_a_run_of_other_defaults_is_not_taken_for_todays(run, monkeypatch, tmp_path):
    monkeypatch.setattr(recipes, "call", lambda script, *flags, **_: None)
    args = recipes.Args(runs=tmp_path / "runs", minutes=0.25)
    (run / "results-validation" / "evaluation").mkdir(parents=True)
    (run / "results-validation" / "evaluation" / "scores.json").write_text('{"scores": {"rec": {}}}')
    recipes.make(args, "default", 0)
    recorded = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps({**recorded, "identity": 20.0}))
    with pytest.raises(recipes.BadInput, match=r"was made with identity 20.0, now it is 15.0; name another folder"):
        recipes.make(args, "default", 0)
