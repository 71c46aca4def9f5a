"""What --dry-run prints: shapes and parameters of the networks, memory, steps."""

import math

import keras
import tensorflow as tf
from keras import tree

from facegan import devices, dlibnet, pipeline, prepared, run_folder

GPU_PROGRAM_GB = 0.2
"""Workspace."""
CPU_PROGRAM_GB = 0.75
"""What a process takes for TensorFlow and a step's graph; measured, as the next."""
FACE_NETWORK_GB = 0.3


def describe_training(args, faces: run_folder.Split, passes: dict[keras.Model, int], judged: int = 0) -> None:
    """Print what a training would take.

    passes: network -> how often a step calls it on a whole batch; judged: how often dlib's network sees one. Memory is
    an estimate: every layer's output of every pass is kept for the backward pass; weights, two moments of Adam,
    gradients and the moving average in float32; and what the program itself takes. For the three scripts, published and
    default, at 128 px with batch 4, and pix2pix.py's default with batch 16, it was within 0.1 GB of the process's peak.
    """
    steps = run_folder.steps_of_an_epoch(args, len(faces.train))
    per_device = args.batch_size // devices.strategy().num_replicas_in_sync
    full = 8 if args.precision == "float64" else 4
    bytes_a_number = 3 if args.precision.startswith("mixed") else full  # a part of a layer's work stays in float32
    weights, outputs = 0, bytes_a_number * judged * dlibnet.OUTPUTS * per_device
    for network, times in passes.items():
        print(
            f"{network.name}: {in_words(network.inputs)} -> {in_words(network.outputs)}, "
            f"{network.count_params():,} parameters"
        )
        weights += 5 * full * network.count_params()
        outputs += times * output_numbers(network) * bytes_a_number * per_device
    program = CPU_PROGRAM_GB + FACE_NETWORK_GB * bool(judged)
    if tf.config.list_physical_devices("GPU"):
        program = GPU_PROGRAM_GB
    total = (weights + outputs) / 1e9 + program
    print(
        f"memory of a device: about {total:.1f} GB ({weights / 1e9:.1f} weights and Adam, "
        f"{outputs / 1e9:.1f} layer outputs of {per_device} faces, {program:.1f} the program)"
    )
    records = pipeline.record_bytes(args.size, prepared.region_count(args.data)) * len(faces.all())
    print(f"packed records: {records / 1e9:.2f} GB")
    validation = f", {len(faces.validation)} validation" if len(faces.validation) else ""
    print(f"{len(faces.train)} training{validation} and {len(faces.test)} test faces: {steps} steps an epoch")
    print(f"{args.epochs} epochs: {steps * args.epochs} steps. Nothing was written.")


def in_words(tensors: list) -> str:
    """The shapes of a network's inputs or outputs without the batch, for instance "64 x 64 x 10 + 149"."""
    return " + ".join(" x ".join(map(str, tensor.shape[1:])) for tensor in tensors)


def output_numbers(network: keras.Model) -> int:
    """How many numbers all its layers put out for one face."""
    outputs = [tensor for layer in network.layers for tensor in tree.flatten(layer.output)]
    return sum(math.prod(tensor.shape[1:]) for tensor in outputs)
