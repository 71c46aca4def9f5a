"""Runs on the eighteen parts (--parts): networks and losses of the three scripts, and which data go with which run."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import parse_face
import pix2pix
import pix2pix_rec
from facegan import pipeline, prepared, regions
from outcomes import TINY, refusal
from three_scripts import LOSSES, SCRIPTS


@SCRIPTS
def test_networks_and_losses_follow_the_number_of_regions(script, parts_64, tmp_path):
    args = script.Args(size=64, width=8, parts=True, run=tmp_path, identity=0.0, perceptual=0.0)
    state = script.State(args)
    assert [shape[-1] for shape in state.generator.input_shape[:2]] == [18 + 3, 3 * 18 + 128]
    records = pipeline.Records(parts_64, prepared.complete_indices(parts_64), 64)
    batch = script.make_grid_batch(records, [np.arange(2)])
    losses = script.make_losses(args, state)(state.generator, batch, training=True)
    assert set(losses) == set(LOSSES[script]) - {"identity", "perceptual"}
    assert all(np.isfinite(loss) for loss in losses.values())
    images = script.paint(args, state.average, batch)
    assert images["masks"].shape == (2, 64, 64, 18)


def test_styles_of_a_run_on_parts_are_those_of_eighteen_parts_and_the_background(tmp_path):
    generator = pix2pix_rec.Generator(pix2pix_rec.Args(size=64, width=8, parts=True, style=5))
    assert generator.get_layer("style_codes").input.shape[1:] == (19, 5)


def test_map_consistency_of_parts_tells_lips_from_teeth():
    masks = np.zeros((1, 1, 2, 18), np.float32)
    masks[0, 0, 0, regions.PARTS.index("u_lip")] = masks[0, 0, 1, regions.PARTS.index("mouth")] = 1
    seen = tf.fill((1, 1, 2), 1 + regions.PARTS.index("u_lip"))
    parser = lambda picture, training: 100 * tf.one_hot(seen, 19)  # noqa: E731
    loss = float(pix2pix.map_consistency_loss(parser, None, tf.constant(masks)))
    assert loss == pytest.approx(-(np.log(1.001) + np.log(0.001)) / 2, rel=1e-4)


def test_a_run_records_that_it_is_on_parts_and_goes_on_with_them(run_on_parts, parts_64, tmp_path, call):
    run = run_on_parts.run
    assert json.loads((run / "args.json").read_text())["parts"] is True
    assert json.loads((run / "split.json").read_text())["source"]["regions"] == "parts"
    assert (run_on_parts.results / "9_man.png").exists()
    outcome = call(pix2pix, "--dry-run", "--run", run)
    assert "generator: 64 x 64 x 21 + 182 -> 64 x 64 x 3" in outcome.out
    size = 10 * pipeline.record_bytes(64, 18) / 1e9
    assert f"packed records: {size:.2f} GB" in outcome.out


def test_runs_and_folders_of_another_kind_are_refused(run_on_parts, trained, parts_64, prepared_64, tmp_path, call):
    """Before the first checkpoint by the flag, afterwards by what the run recorded, which no flag changes."""
    new = ("--train", *TINY, "--run", tmp_path / "new")
    assert "add --parts" in refusal(call(pix2pix, *new, "--data", parts_64))
    assert "--parts needs the 18 parts: run `python g_simple_mask.py --regions parts --out OTHER`" in refusal(
        call(pix2pix, *new, "--data", prepared_64, "--parts")
    )
    assert not (tmp_path / "new").exists()
    on_regions = trained(pix2pix).run
    for step in ("--train", "--test", "--dry-run"):
        assert "was trained on overlapping regions, but" in refusal(
            call(pix2pix, step, "--run", on_regions, "--data", parts_64, "--out", tmp_path / "out")
        )
        assert "was trained on the 18 parts, but" in refusal(
            call(pix2pix, step, "--run", run_on_parts.run, "--data", prepared_64, "--out", tmp_path / "out")
        )
    assert "trained with --no-parts, now it is --parts" in refusal(
        call(pix2pix, "--test", "--run", on_regions, "--parts")
    )


def test_a_run_of_before_the_flag_is_one_on_the_seven_regions(trained, prepared_64, parts_64, tmp_path, call):
    run = shutil.copytree(trained(pix2pix).run, tmp_path / "run")
    flags = json.loads((run / "args.json").read_text())
    del flags["parts"]
    (run / "args.json").write_text(json.dumps(flags))
    outcome = call(pix2pix, "--dry-run", "--run", run)
    assert "generator: 64 x 64 x 10 + 149 -> 64 x 64 x 3" in outcome.out, outcome.err
    assert "overlapping regions" in refusal(call(pix2pix, "--test", "--run", run, "--data", parts_64))


def test_a_parser_learns_label_maps_from_either_folder(parts_64, tmp_path, call):
    outcome = call(
        parse_face, "--dry-run", "--data", parts_64, "--size", 64, "--run", tmp_path / "run", "--batch-size", 2
    )
    assert outcome.status == 0, outcome.err
