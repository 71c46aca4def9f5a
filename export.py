"""The generator of a trained run as a model that paints without this repository, checked against the run itself.

    python export.py --run runs/pix2pix --format keras        # -> runs/pix2pix/export/model.keras
    python export.py --run runs/pix2pix_rec --format litert   # -> runs/pix2pix_rec/export/model.tflite

Its inputs have names, and hold what the prepared folder holds, for any number B of faces: masks (B, S, S, R) of 0/1,
colors (B, R, 3) in 0..1, face_id (B, 128), for a run of pix2pix_rec.py --condition pair also photo (B, S, S, 3) in
0..1, all float32. R is 7, the regions, or for a run on --parts 18. Its output is picture (B, S, S, 3) in 0..1. An
export is loaded back by the software that will run it, and kept only when it paints what the run paints. How to use
each format: docs/export.md.
"""

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import contextlib
import datetime
import importlib
import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from facegan import checkpoints, cli, files, norms, pipeline, precision, run_folder
from facegan.errors import BadInput
from facegan.flags import check_bounds
from facegan.regions import STAND_INS, TABLES, region_count

SCRIPTS = ("pix2pix.py", "pix2pix_v2.py", "pix2pix_rec.py")

LIMIT = 1e-3
"""Largest difference, in 0..1, to what the run paints that an export may have: a quarter of a grey level."""

MEANINGS = {
    "masks": "1 where the region is, 0 elsewhere; regions in the order of `regions`, and they may overlap",
    "colors": "mean colour of each region, RGB, divided by 255; of an empty one that of its first stand-in "
    "which is not (`stand-ins`), else 0",
    "face_id": "dlib's face descriptor (face_recognition_resnet_model_v1)",
    "photo": "the photograph, RGB, divided by 255",
    "picture": "the painted face, RGB, times 255 for a PNG",
}


@dataclass
class Args:
    format: Literal["keras", "savedmodel", "litert", "onnx"]
    """keras: model.keras. savedmodel: saved_model/, for TensorFlow. litert: model.tflite, for phones and small
    machines. onnx: model.onnx, needs requirements-export.txt"""
    run: Path = Path("runs/pix2pix")
    """folder of the trained run, of any of the three scripts"""
    out: Path | None = None
    """where to write; RUN/export unless said"""


# --- the run ----------------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    script: ModuleType
    args: object
    generator: keras.Model
    """with the weights that --test paints with"""
    step: int


def restore(folder: Path) -> Run:
    """The trained run in a folder as its script's --test sees it, in inference mode. Raises BadInput when there is
    none, or when it is damaged or of another version."""
    flags = run_folder.recorded_flags(folder)
    if not flags:
        raise BadInput(f"no trained run in {folder}: train first, or name one with --run.")
    name = flags.pop("script", None)
    if name not in SCRIPTS:
        raise BadInput(f"{folder} was trained by {name}, which has no generator: name a run of {', '.join(SCRIPTS)}.")
    script = importlib.import_module(Path(name).stem)
    flags = run_folder.with_paths(script.Args, flags, folder)
    run_folder.check_complete(script.Args, flags, folder)
    try:
        args = script.Args(**{**flags, "run": folder, "batch_statistics": False})
        check_bounds(args)
        generator = script.Generator(args)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{folder / 'args.json'} is of another version ({error}): train into a new --run.") from None
    step = checkpoints.Checkpoints(folder, average=generator).restore(required=True)
    if flags.get("batch_statistics"):
        print("note: this run tests with --batch-statistics; the export paints as --no-batch-statistics does")
    return Run(script, args, generator, step)


def standalone(run: Run) -> keras.Model:
    """The run's generator between named inputs and output, made of Keras's own layers alone."""
    return named(norms.portable_copy(run.generator))


def named(generator: keras.Model) -> keras.Model:
    """A generator between named inputs and output: masks, colors, face_id, photo where it takes one, styles and
    strengths where style_codes.mixing() made it -> picture."""
    size, n = generator.inputs[0].shape[1], generator.inputs[0].shape[-1] - 3
    inputs = {
        "masks": layers.Input((size, size, n), name="masks"),
        "colors": layers.Input((n, 3), name="colors"),
        "face_id": layers.Input((pipeline.FACE_ID,), name="face_id"),
    }
    for name, tensor in zip(("photo", "styles", "strengths"), generator.inputs[2:], strict=False):
        inputs[name] = layers.Input(tensor.shape[1:], name=name)
    masks, colors, face_id, *others = inputs.values()
    flat = layers.Reshape((size * size, n))(masks)
    cmask = ops.matmul(flat, colors) / ops.maximum(ops.sum(flat, -1, keepdims=True), 1)  # as pipeline.color_map
    masks_and_colors = layers.Concatenate()([masks, layers.Reshape((size, size, 3))(cmask)])  # (B, S, S, R + 3)
    code = layers.Concatenate()([layers.Reshape((3 * n,))(colors), face_id])  # (B, 3 R + 128)
    return keras.Model(inputs, {"picture": generator([masks_and_colors, code, *others])})


# --- the formats ------------------------------------------------------------------------------------------------------


class Loaded(NamedTuple):
    """An export as the software that runs it sees it."""

    inputs: dict[str, tuple]
    """name -> shape; the first dimension is free"""
    outputs: dict[str, tuple]
    paint: Callable[[dict[str, np.ndarray]], np.ndarray]
    """inputs by name -> pictures (B, S, S, 3)"""


def graph(model: keras.Model):
    """The model in inference mode as a tf.function, and its argument: the inputs by name."""
    specs = {name: tf.TensorSpec(x.shape, tf.float32, name) for name, x in model.input.items()}
    return tf.function(lambda inputs: model(inputs, training=False), autograph=False), specs


def write_keras(model: keras.Model, path: Path) -> None:
    model.save(path)


def load_keras(path: Path) -> Loaded:
    model = keras.saving.load_model(path)
    shapes = ({name: tuple(x.shape) for name, x in tensors.items()} for tensors in (model.input, model.output))
    return Loaded(*shapes, lambda inputs: model(inputs)["picture"].numpy())


def write_savedmodel(model: keras.Model, path: Path) -> None:
    function, specs = graph(model)
    bare = tf.Module()  # the Keras model itself would hide its weights from LiteRT; its own export() saves them twice
    bare.weights = [variable.value for variable in model.variables]
    tf.saved_model.save(bare, str(path), {"serving_default": function.get_concrete_function(specs)})


def load_savedmodel(path: Path) -> Loaded:
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    specs = signature.structured_input_signature[1], signature.structured_outputs
    shapes = ({name: tuple(x.shape) for name, x in tensors.items()} for tensors in specs)

    def paint(inputs):
        return signature(**{name: tf.constant(x) for name, x in inputs.items()})["picture"].numpy()

    return Loaded(*shapes, paint)


def write_litert(model: keras.Model, path: Path) -> None:
    write_savedmodel(model, path.with_suffix(""))  # there is no way from a Keras 3 model directly
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(path.with_suffix(""))).convert())


def load_litert(path: Path) -> Loaded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ai-edge-litert is the same interpreter, and one more package
        interpreter = tf.lite.Interpreter(str(path), num_threads=len(os.sched_getaffinity(0)))  # of itself it takes one
        runner = interpreter.get_signature_runner("serving_default")
    details = runner.get_input_details(), runner.get_output_details()
    shapes = ({name: tuple(x["shape_signature"]) for name, x in tensors.items()} for tensors in details)
    return Loaded(*shapes, lambda inputs: runner(**inputs)["picture"])


def write_onnx(model: keras.Model, path: Path) -> None:
    import tf2onnx

    function, specs = graph(model)
    proto, _ = tf2onnx.convert.from_function(function, [specs])
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "B"  # one name for all, instead of a number for each
    path.write_bytes(proto.SerializeToString())


def load_onnx(path: Path) -> Loaded:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = ({x.name: tuple(x.shape) for x in tensors} for tensors in (session.get_inputs(), session.get_outputs()))
    return Loaded(*shapes, lambda inputs: session.run(["picture"], inputs)[0])


class Format(NamedTuple):
    file: str
    write: Callable[[keras.Model, Path], None]
    load: Callable[[Path], Loaded]
    packages: tuple[str, ...] = ()
    """what it needs beyond requirements.txt"""


FORMATS = {
    "keras": Format("model.keras", write_keras, load_keras),
    "savedmodel": Format("saved_model", write_savedmodel, load_savedmodel),
    "litert": Format("model.tflite", write_litert, load_litert),
    "onnx": Format("model.onnx", write_onnx, load_onnx, ("tf2onnx", "onnxruntime")),
}


# --- the check --------------------------------------------------------------------------------------------------------


def random_faces(size: int, parts: bool, n: int = 3) -> dict[str, np.ndarray]:
    """A batch as the scripts read it: n faces of random blocks, overlapping and with background, colours and IDs; of
    the 18 parts, or of the seven regions."""
    rng, regions = np.random.default_rng(0), region_count(parts)
    bits = rng.integers(0, 2**regions, (n, 16, 16)) * (rng.random((n, 16, 16)) < 0.8)
    bits = bits.astype(np.int32 if parts else np.uint8).repeat(size // 16, 1).repeat(size // 16, 2)
    return {
        "image": rng.integers(0, 256, (n, size, size, 3), np.uint8),
        "bits": bits,
        "bits2": bits,
        "colors": rng.random((n, regions, 3), np.float32),
        "face_id": rng.normal(0, 0.1, (n, pipeline.FACE_ID)).astype(np.float32),
    }


def difference(run: Run, loaded: Loaded) -> float:
    """The largest difference between what the run's own script and the loaded export paint, three faces together and
    one alone."""
    batch = random_faces(run.args.size, run.args.parts)
    expected = run.script.paint(run.args, run.generator, {name: tf.constant(x) for name, x in batch.items()})["rec"]
    inputs = {
        "masks": (batch["bits"][..., None] >> np.arange(region_count(run.args.parts)) & 1).astype(np.float32),
        "colors": batch["colors"],
        "face_id": batch["face_id"],
        "photo": batch["image"].astype(np.float32) / 255,
    }
    together = loaded.paint({name: inputs[name] for name in loaded.inputs})
    alone = loaded.paint({name: inputs[name][:1] for name in loaded.inputs})
    return float(np.max([np.abs(together - expected).max(), np.abs(alone - expected[:1]).max()]))


def describe(run: Run, loaded: Loaded, error: float) -> dict:
    """What a person must know to use the export in some years."""
    flags, table = files.read_json(run.args.run / "args.json"), TABLES[region_count(run.args.parts)]
    return {
        **{
            kind: {name: f"float32 {shape}: {MEANINGS[name]}" for name, shape in in_words(shapes).items()}
            for kind, shapes in (("inputs", loaded.inputs), ("outputs", loaded.outputs))
        },
        "B": "any number of faces",
        "regions": {region: ", ".join(parts) for region, parts in table.items()},
        "stand-ins": {part: ", ".join(others) for part, others in STAND_INS.items()} if run.args.parts else {},
        "trained by": {name: x for name, x in flags.items() if name != "data"},
        "step": run.step,
        "largest difference to the run": error,
        "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": run_folder.git_commit(),
        **{name: metadata.version(name) for name in ("tensorflow", "keras")},
    }


def in_words(shapes: dict[str, tuple]) -> dict[str, str]:
    """Name -> "(B, 64, 64, 3)", in the order of MEANINGS; each format has its own sign for a free dimension."""
    return {name: f"(B, {', '.join(map(str, shapes[name][1:]))})" for name in MEANINGS if name in shapes}


# --- writing ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scratch(out: Path):
    """The plain name of an empty folder in out, for this process alone, gone afterwards; what a killed one left there
    goes too."""
    out.mkdir(parents=True, exist_ok=True)
    folder = out / ".new"
    with files.lock(out / ".lock"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            with files.plain_name(folder) as plain:
                yield plain
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def put(new: Path, path: Path) -> None:
    """Move a finished export to its place; an existing folder is moved aside first and removed only afterwards."""
    old = path.with_name(f".{path.name}.old")
    if path.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


def export(args: Args, run: Run, form: Format) -> None:
    """Write, load back, compare, and only then put in place. Raises BadInput when the export paints something else."""
    out = args.out or args.run / "export"
    path = out / form.file
    is_export = (path / "saved_model.pb").exists() if args.format == "savedmodel" else path.is_file()
    if path.exists() and not is_export:
        raise BadInput(f"{path} exists and is no export: name another folder with --out.")
    with scratch(out) as folder:
        new = folder / form.file
        try:
            form.write(standalone(run), new)
        except tf.errors.OpError as error:
            reason = devices.reason(error).replace(str(folder), str(out))
            raise BadInput(f"cannot write {path} ({reason}); what was there is kept.") from None
        loaded = form.load(new)
        error = difference(run, loaded)
        if not error <= LIMIT:  # NaN neither
            raise BadInput(f"{path} would paint otherwise than the run: max difference {error:.1e}, allowed {LIMIT}.")
        about = folder / f"{form.file}.json"
        about.write_text(json.dumps(describe(run, loaded, error), indent=2) + "\n", encoding="utf-8")
        put(new, path)
        put(about, out / about.name)
    paths = [path, *path.rglob("*")]
    size = sum(file.stat().st_size for file in paths if file.is_file())
    print(f"{path}: {size / 1e6:.1f} MB, {Path(run.script.__file__).name}, step {run.step}")
    for kind, shapes in (("takes", loaded.inputs), ("returns", loaded.outputs)):
        print(kind, ", ".join(f"{name} {shape}" for name, shape in in_words(shapes).items()))
    print(f"max difference to the run {error:.1e}")


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    form = FORMATS[args.format]
    try:
        for package in form.packages:
            importlib.import_module(package)
    except ImportError as error:
        raise BadInput(
            f"--format {args.format} needs more packages ({error}): run `pip install -r requirements-export.txt`."
        ) from None
    with contextlib.suppress(RuntimeError):  # too late, after another script in this process
        tf.config.set_visible_devices([], "GPU")  # a GPU may be busy training, and its TF32 is no measure
    precision.set_policy("float32")  # the export must run anywhere
    with devices.errors_as_sentences():
        export(args, restore(args.run), form)


if __name__ == "__main__":
    cli.run(main)
