"""benchmarks/train_step.py compares like with like: PyTorch's networks are ours, and what counts is counted."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import pix2pix

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import pytorch_peer  # noqa: E402
import run_all  # noqa: E402
import train_step  # noqa: E402


@pytest.mark.parametrize("published", [True, False])
def test_the_peer_in_pytorch_has_our_networks(published):
    args = pix2pix.Args(size=64)
    args = replace(args, **pix2pix.PUBLISHED) if published else args
    step = pytorch_peer.Step(64, 2, published, bfloat16=False, compiled=False)
    networks = pix2pix.Generator(args), pix2pix.Discriminator(args)
    assert step.parameters == [sum(w.value.shape.num_elements() for w in x.trainable_weights) for x in networks]


def test_flop_of_convolutions_by_hand_without_those_that_nobody_asked_for():
    first, second = np.zeros((3, 3, 3, 8), np.float32), tf.Variable(np.zeros((1, 1, 8, 4), np.float32))

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            y = tf.nn.conv2d(tf.nn.conv2d(x, first, 1, "SAME"), second, 2, "SAME")  # x gets no gradient
        return tape.gradient(y, second)

    graph = step.get_concrete_function(tf.TensorSpec((2, 6, 6, 3))).graph
    forward = 2 * (2 * 6 * 6 * 8) * (3 * 3 * 3)
    gradient = 2 * (2 * 3 * 3 * 4) * 8
    assert train_step.convolutions(graph) == forward + gradient  # of the second, only its kernel's is wanted


def test_a_section_made_anew_leaves_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(run_all, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(run_all, "section", lambda title, command: f"## {title}\n\nnew\n")
    monkeypatch.setattr(sys, "argv", ["run_all.py", "--only", "Inference"])
    run_all.RESULTS.write_text("# Results\n\nWords.\n\n## Profile\n\nold\n\n## Tried, and gone\n\nby hand\n")
    run_all.main()
    wanted = "# Results\n\nWords.\n\n## Profile\n\nold\n\n## Inference\n\nnew\n\n## Tried, and gone\n\nby hand\n"
    assert run_all.RESULTS.read_text() == wanted
