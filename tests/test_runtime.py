"""facegan/runtime.py: what a training says when it starts; GPUs that this machine has not are faked."""

import keras

import pix2pix
from facegan import runtime


def test_the_first_line_says_what_was_chosen_and_why(gpu, capsys):
    args = pix2pix.Args(train=True, precision="float32")
    runtime.start(args)
    line = capsys.readouterr().out
    assert line.startswith("precision float32 (as asked); XLA off unless asked (slower on CPUs); on ")
    assert line.endswith(" CPU cores\n")
    gpu(7, 0)
    args.precision = "auto"
    runtime.start(args)
    expected = (
        "precision mixed_float16 (GPU of compute capability 7.0 has float16 units; losses are scaled); on 1 GPU\n"
    )
    assert capsys.readouterr().out == expected
    assert args.precision == keras.mixed_precision.global_policy().name == "mixed_float16"
