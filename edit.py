"""Edit a face: paint and shape its map, recolour its regions, borrow from other faces, and see what the generator makes
of it.

    python edit.py                                            # a page in the browser: http://127.0.0.1:7860
    python edit.py --run runs/pix2pix_v2 --data data/celeba --sample 12
    python edit.py --sample 12 --borrow hair:57 --color hair=#8a3b1f --out edited.png      # without a browser
    python edit.py --run runs/pix2pix_rec --sample 12 --borrow style:hair:57 --out edited.png
    python edit.py --sample 12 --move mouth:0,4 --scale l_eye:1.2 --longer-hair 0.3 --out edited.png
    python edit.py --photo me.jpg --borrow map:3 --out me_as_3.png --save-map map.png --save-sample me.npz
    python edit.py --edit face_12_edit.json --out edited.png  # an edit that the page gave as a file

The page needs `pip install -r requirements-edit.txt`. The same edits from Python: facegan/editor/editing.py, with
paint() or painter() from here.
"""

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import functools
import hashlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

import export
from face_recognition import face_recognition
from facegan import (
    align,
    cli,
    files,
    norms,
    parsers,
    picture_files,
    pictures,
    pipeline,
    precision,
    prepared,
    regions,
    run_folder,
)
from facegan.editor import edit_files, editing, pasting, shaping, style_codes, uploads, wishes
from facegan.editor.answers import Setup
from facegan.editor.editing import Edit, Face, FaceMap
from facegan.editor.style_codes import Inputs
from facegan.editor.upload_store import name_of
from facegan.errors import BadInput, printable
from facegan.quiet import quiet


@dataclass
class Args:
    run: Path = Path("runs/pix2pix")
    """trained run that paints, of any of the three scripts"""
    data: Path = Path("data/prepared")
    """prepared folder: the faces to edit and to borrow from"""
    parser: Path = Path("runs/parse_face")
    """run of parse_face.py, which finds the parts in one's own photograph"""
    host: str = "127.0.0.1"
    """address to listen at; 0.0.0.0 opens the page, without any password, to everybody who can reach this machine"""
    port: int = 7860
    """port to listen at"""

    sample: int | None = None
    """number of the face to edit; the page opens with it"""
    photo: Path | None = None
    """edit one's own photograph instead; needs --out, which gets the whole photograph at its own size, and a parser"""
    aligned: bool = False
    """--photo is square and cut as CelebA-HQ's photographs already"""
    square: bool = False
    """of --photo, write the square that was edited alone, at the run's size"""
    label_map: Path | None = None
    """edit into this map: a picture in CelebAMask-HQ's ids or colours"""
    borrow: tuple[str, ...] = ()
    """WHAT:NUMBER, from another face, in this order: a region (hair:57; of a run on --parts a part, l_brow:57), or map,
    colors, identity; a region's style, by a run of pix2pix_rec.py, as a whole (style:hair:57) or by a strength of 0..1
    (style:hair:57:0.7)"""
    move: tuple[str, ...] = ()
    """NAME:RIGHT,DOWN, a region or part (l_eye), in pixels of the run's size; shapes change after --borrow, and in the
    order of these flags here: all moves first"""
    scale: tuple[str, ...] = ()
    """NAME:FACTOR, 0.25 to 4"""
    turn: tuple[str, ...] = ()
    """NAME:DEGREES, clockwise"""
    mirror: tuple[str, ...] = ()
    """NAME, left to right"""
    open_mouth: float = 0.0
    """1 opens the mouth wide, -1 closes it"""
    close_eyes: float = 0.0
    """1 closes the eyes, -1 opens them wide"""
    longer_hair: float = 0.0
    """1 makes the hair longer by the face's height, -1 cuts it at the eyes"""
    color: tuple[str, ...] = ()
    """REGION=#rrggbb, of a run on --parts PART=#rrggbb, after everything that was borrowed"""
    keep: bool = True
    """keep the rest of the photograph: only the edit and what is near it are painted"""
    edit: Path | None = None
    """an edit that the page gave as a file; --out becomes what the page showed, to the pixel. If your own pictures are
    in it, name the photograph with --photo, the map with --label-map"""
    out: Path | None = None
    """write the result here, a .png or .jpg, and open no page"""
    save_map: Path | None = None
    """also write the edited map, a .png of 512 x 512 in CelebAMask-HQ's ids"""
    save_sample: Path | None = None
    """also write the edited face as samples/<k>.npz has it"""


# --- the run ----------------------------------------------------------------------------------------------------------


def restore(args: Args) -> export.Run:
    """The trained run. BadInput names the command that makes one, or the data, where there is none."""
    editing.face_numbers(args.data)
    if not run_folder.has_checkpoint(args.run):
        parts = " --parts" if prepared.region_count(args.data) == len(regions.PARTS) else ""
        raise BadInput(
            f"no trained run in {args.run}: make one with `python pix2pix.py {training_flags(args)}{parts} --run "
            f"{args.run}`, or name one with --run."
        )
    devices.share_gpus()  # a training may need the rest of their memory
    precision.set_policy("float32")
    run = export.restore(args.run)
    pipeline.check_size(args.data, run.args.size)
    prepared.check_run_regions(args.data, args.run, run.args.parts)
    return run


def training_flags(args: Args) -> str:
    """Flags that train on the data folder."""
    return f"--train --data {args.data} --size {prepared.describe(args.data)['size']}"


def paint(run: export.Run, edit: Edit) -> np.ndarray:
    """What a run makes of an edit: (S, S, 3) float32 in 0..1. Raises BadInput for a style if the run has no codes."""
    model, inputs = editable(run.generator), Inputs(run.generator, missing_styles(run))(edit)
    return finite(model({name: inputs[name] for name in model.input})["picture"][0].numpy())


def editable(generator: keras.Model) -> keras.Model:
    """A generator between named inputs and output, with those of style_codes.mixing() where it has style codes."""
    return export.named(style_codes.mixing(generator) if style_codes.has_codes(generator) else generator)


def missing_styles(run: export.Run) -> str:
    """Why no style can be borrowed, in a sentence; "" where it can."""
    if style_codes.has_codes(run.generator):
        return ""
    condition = " --condition map" if run.script.__name__ == "pix2pix_rec" else ""
    return (
        f"{printable(run.args.run)} was trained by {run.script.__name__}.py{condition}, and has no style codes to mix: "
        "to borrow a style, name a run of pix2pix_rec.py --condition pair with --run."
    )


def finite(picture: np.ndarray) -> np.ndarray:
    """The picture. Raises BadInput where it has numbers that are none: it would be black."""
    if not np.isfinite(picture).all():
        raise BadInput("the run paints numbers that are not finite: train into a new --run, or name another.")
    return picture


def painter(run: export.Run) -> Callable[[Edit], np.ndarray]:
    """paint() of many edits, made faster once: by a graph on a GPU, by LiteRT on a CPU, which takes half of a graph's
    time for one face. One call at a time."""
    lock, inputs_of = threading.Lock(), Inputs(run.generator, missing_styles(run))
    if tf.config.list_physical_devices("GPU"):
        model = editable(run.generator)
        graph = tf.function(lambda inputs: model(inputs)["picture"], autograph=False)
        network, shapes = lambda inputs: graph(inputs).numpy(), {name: x.shape for name, x in model.input.items()}
    else:
        with tempfile.TemporaryDirectory() as folder, files.plain_name(Path(folder)) as plain, quiet():
            with files.named_errors(Path(folder) / "model.tflite"):
                export.write_litert(editable(norms.portable_copy(run.generator)), plain / "model.tflite")
            loaded = export.load_litert(plain / "model.tflite")
        network, shapes = loaded.paint, loaded.inputs
    network({name: np.zeros((1, *shape[1:]), np.float32) for name, shape in shapes.items()})  # not at the first stroke

    def paint_fast(edit: Edit) -> np.ndarray:
        inputs = inputs_of(edit)
        with lock:  # two at once would only take turns on the same cores
            return finite(network({name: inputs[name] for name in shapes})[0])

    return paint_fast


# --- one's own pictures -----------------------------------------------------------------------------------------------


def parser(args: Args) -> keras.Model:
    """The face parser, read once. Raises BadInput, which says how to train one."""
    if missing := missing_parser(args):
        raise BadInput(missing)
    return read_parser(args.parser)


def missing_parser(args: Args) -> str:
    """How to train the face parser where there is none, in a sentence; "" where there is one."""
    if (args.parser / "parser.keras").is_file():
        return ""
    return (
        f"a photograph must be parsed, and there is no parser in {args.parser}: train one with `python "
        f"parse_face.py {training_flags(args)} --run {args.parser}`, or name its run with --parser."
    )


read_parser = functools.cache(parsers.load)


def own_map(args: Args, labels: np.ndarray) -> editing.FaceMap:
    """Label ids on the 512 grid as the faces of the data folder have them."""
    about = prepared.describe(args.data)
    return editing.map_from_labels(labels, about["size"], prepared.kind_of_regions(about))


ONE_NETWORK = threading.Lock()
"""The parser and dlib's networks serve one thread at a time; both take some tenths of a second."""


def own_photo(args: Args, content: bytes, name: str, aligned: bool) -> tuple[Face, str]:
    """A photograph as a face to edit, and a note on it. Raises BadInput.

    It is found, cut out and parsed as own_photo.py does; but cut out at 512 x 512 even where it is larger, and
    with no JPEG in between, so that its pixels are not those of the folder that it makes.
    """
    network = parser(args)
    photo, original, note = uploads.photo(content, name, aligned)
    small = align.resized(photo, network.input_shape[1] / len(photo)).astype(np.float32) / 255
    with ONE_NETWORK:
        labels = parsers.label_map(network, small)
    if not labels.any():
        raise BadInput(f"{name}: the parser finds no part of a face in it.")
    image = align.resized(photo, prepared.describe(args.data)["size"] / len(photo))
    face_map = own_map(args, labels)
    colors = regions.mean_colors(image, face_map.masks)
    with ONE_NETWORK:
        numbers, detected, _ = face_recognition.face_id(image)
    blind = "" if detected else "no face was detected for its identity, which is the whole frame's"
    return Face(image, face_map, colors, numbers, original), "; ".join(filter(None, (note, blind)))


# --- an edit's file ---------------------------------------------------------------------------------------------------


def place_of(args: Args, run: export.Run) -> edit_files.Place:
    """What edits are painted with here, as their files have it."""
    digest = hashlib.sha256()
    for weight in run.generator.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    about = {"script": f"{run.script.__name__}.py", "name": run.args.run.resolve().name, "step": run.step}
    return edit_files.Place(about | {"weights": digest.hexdigest()}, run.args.size, args.data, args.parser)


def paint_file(args: Args) -> None:
    """Write what the page shows of --edit. Raises BadInput where that cannot be painted here."""
    record = edit_files.read(args.edit)
    run = restore(args)
    edit_files.check(record, place_of(args, run), args.edit)
    edit = edit_files.read_edit(record, sources(args, record), run.args.size)
    generated = painter(run)(edit)  # as the page does: paint() may differ in the last bit of a colour
    write(replace(args, keep=record["keep"]), edit, generated, text_of(run))


def sources(args: Args, record: dict) -> dict[str, Face | FaceMap]:
    """The faces and maps of which --edit is made, by name. Raises BadInput unless --photo and --label-map are those
    that it uses."""
    names = edit_files.names(record)
    by_name = {name: face_at(args, name, f"--edit {args.edit}") for name in names if name.isdigit()}
    if args.photo:
        content = uploads.read(args.photo)
        cuts = {name_of("photo", content, aligned): aligned for aligned in (False, True)}
        name = used_name(args, "--photo", args.photo, set(cuts), names)
        if name == record["face"]:
            check_fits(args, content)
        by_name[name] = tell_of_photo(args, content, cuts[name])
    if args.label_map:
        content = uploads.read(args.label_map)
        name = used_name(args, "--label-map", args.label_map, {name_of("map", content)}, names)
        by_name[name] = own_map(args, uploads.label_map(content, str(args.label_map)))
    if missing := set(names) - set(by_name):
        raise BadInput(
            f"{args.edit} uses {len(missing)} of your own pictures, which are not in it: name the file that was "
            "uploaded, unchanged, with --photo, or with --label-map if it is a map. An edit of two photographs of your "
            "own opens on the page alone."
        )
    return by_name


def used_name(args: Args, flag: str, path: Path, candidates: set[str], names: list[str]) -> str:
    """Which of the names that a picture of one's own can have --edit uses. Raises BadInput when it uses none."""
    for name in candidates & set(names):
        return name
    raise BadInput(
        f"{flag} {path} is no picture that {args.edit} uses: name the file that was uploaded, unchanged, or leave it "
        "out."
    )


# --- without a browser ------------------------------------------------------------------------------------------------


def face_at(args: Args, number: str, flag: str) -> Face:
    """A face of the data folder by its number. BadInput says which there are."""
    numbers = editing.face_numbers(args.data)
    if files.face_number(number) not in numbers:
        raise BadInput(f"{flag}: no face {number} in {args.data}, which has {numbers[0]} to {numbers[-1]}.")
    return editing.read_face(args.data, int(number))


def edit_by_flags(args: Args) -> tuple[Edit, export.Run]:
    """The edit that the command line asks for, and the run that paints it. Raises BadInput: for what is wrong with
    flags and run before a photograph is searched for its face."""
    if (args.sample is None) == (args.photo is None):
        raise BadInput("--out needs a face to edit: either --sample NUMBER or --photo PICTURE.")
    loans = [(loan, face_at(args, loan.number, loan.flag)) for loan in map(wishes.loan, args.borrow)]
    size, run = prepared.describe(args.data)["size"], None
    transforms = wishes.transforms(size, args.move, args.scale, args.turn, args.mirror)
    for amount in ("open_mouth", "close_eyes", "longer_hair"):
        shaping.check_amount(amount.replace("_", " "), getattr(args, amount))
    colors = [wishes.color(wish) for wish in args.color]
    labels = uploads.label_map(uploads.read(args.label_map), str(args.label_map)) if args.label_map else None
    if args.photo:
        content = uploads.read(args.photo)
        check_fits(args, content)
        parser(args)
        run = restore(args)
        if (missing := missing_styles(run)) and any(loan.what == "style" for loan, _ in loans):
            raise BadInput(missing)
        face = tell_of_photo(args, content, args.aligned)
    else:
        face = face_at(args, str(args.sample), "--sample")
    edit = editing.begin(face)
    if labels is not None:
        edit = editing.borrow_map(edit, own_map(args, labels))
    for loan, other in loans:
        edit = wishes.borrow(edit, loan, other)
    for name, how in transforms:
        edit = editing.transform(edit, name, **how)
    edit = change_amounts(args, edit)
    for region, color in colors:
        edit = editing.recolor(edit, region, color)
    return edit, run or restore(args)


def tell_of_photo(args: Args, content: bytes, aligned: bool) -> Face:
    """own_photo() of --photo, which says what it does and notes."""
    print(f"{args.photo}: finding the face and its parts ...", flush=True)
    face, note = own_photo(args, content, str(args.photo), aligned)
    if note:
        print(f"{args.photo}: {note}")
    return face


LONGEST_JPEG = 65500
"""Pixels of a JPEG's side, at most."""


def check_fits(args: Args, content: bytes) -> None:
    """Raise BadInput where --photo as a whole fits no .jpg, and that is what --out is."""
    width, height = picture_files.open_header(content, str(args.photo)).picture.size
    if not args.square and args.out.suffix.lower() != ".png" and max(width, height) > LONGEST_JPEG:
        raise BadInput(f"{args.out}: a photograph of {width} x {height} fits no .jpg: name a .png.")


def shape_flags(args: Args) -> dict[str, object]:
    """Flag -> what it says, of those that change shapes."""
    names = ("move", "scale", "turn", "mirror", "open_mouth", "close_eyes", "longer_hair")
    return {f"--{name.replace('_', '-')}": getattr(args, name) for name in names}


def change_amounts(args: Args, edit: Edit) -> Edit:
    """The edit with its map changed by the three amounts. Raises BadInput."""
    if args.open_mouth:
        edit = editing.open_mouth(edit, args.open_mouth)
    if args.close_eyes:
        edit = editing.close_eyes(edit, args.close_eyes)
    if args.longer_hair:
        edit = editing.lengthen_hair(edit, args.longer_hair)
    return edit


def text_of(run: export.Run) -> dict[str, str]:
    """What a result says of itself."""
    return pictures.synthetic(run.args.run.resolve().name, run.step)


def write(args: Args, edit: Edit, generated: np.ndarray, text: dict[str, str]) -> None:
    """--out, which carries the text, --save-map, --save-sample."""
    picture = editing.composite(edit, generated, args.keep)
    if edit.face.original and not args.square:
        photo = uploads.whole_photo(edit.face)
        with tqdm(total=1, desc="putting it into the whole photograph", bar_format="{desc}: {percentage:.0f} %") as bar:
            shown = pasting.paste(photo, edit, generated, args.keep, lambda share: bar.update(share - bar.n))
        text = {} if np.array_equal(shown, photo) else text
    else:
        shown = picture
    form, options = ("PNG", {}) if args.out.suffix.lower() == ".png" else ("JPEG", dict(quality=95, subsampling=0))
    files.write_bytes(args.out, pictures.encode(shown, form, text, **options))
    if args.save_map:
        files.write_bytes(args.save_map, pictures.encode(editing.full_labels(editing.labels(edit)), "PNG"))
    if args.save_sample:
        prepared.write_npz(args.save_sample, stored=("Image",), **editing.sample(edit, picture))
    for path in (args.out, args.save_map, args.save_sample):
        if path:
            print(f"wrote {path}")


# --- the page ---------------------------------------------------------------------------------------------------------


def page_setup(args: Args, run: export.Run) -> Setup:
    """What the page works with."""
    if args.sample is not None:
        face_at(args, str(args.sample), "--sample")
    return Setup(
        place=place_of(args, run),
        first=args.sample,
        title=f"{printable(args.run)}, step {run.step}",
        text=text_of(run),
        paint=painter(run),
        own_photo=functools.partial(own_photo, args),
        own_map=functools.partial(own_map, args),
        missing_parser=lambda: missing_parser(args),
        missing_styles=missing_styles(run),
    )


def serve(args: Args) -> None:
    """Open the page. Raises BadInput without the packages that serve it."""
    run = restore(args)
    try:
        from facegan.editor import server
    except ImportError as error:
        raise BadInput(
            f"the page needs more packages ({error}): run `pip install -r requirements-edit.txt`, or edit without a "
            "browser: --sample NUMBER --out PICTURE."
        ) from None
    setup = page_setup(args, run)
    print(f"{setup.title}, paints on {devices.in_words()}")
    server.serve(setup, args.host, args.port)


def check_flags(args: Args) -> None:
    if args.edit:
        others = {"--sample": args.sample is not None, "--borrow": args.borrow, "--color": args.color}
        others |= {"--no-keep": not args.keep, "--aligned": args.aligned, **shape_flags(args)}
        for flag, is_given in others.items():
            if is_given:
                raise BadInput(f"--edit {args.edit} holds the whole edit: leave out {flag}.")
    if args.out and args.out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise BadInput(f"--out {args.out}: the result is a .png or a .jpg.")
    if args.save_map and args.save_map.suffix.lower() != ".png":
        raise BadInput(f"--save-map {args.save_map}: the map is a .png.")
    if args.save_sample and args.save_sample.suffix != ".npz":
        raise BadInput(f"--save-sample {args.save_sample}: the edited face is an .npz.")
    alone = [args.photo, args.label_map, args.borrow, args.color, args.save_map, args.save_sample, args.aligned]
    alone += [args.square, args.edit, *shape_flags(args).values()]
    if not args.out and (any(alone) or not args.keep):
        raise BadInput("say where the result goes, --out edited.png; without it a page opens, which does all this.")
    if (args.aligned or args.square) and not args.photo:
        flag = "--aligned says how --photo PICTURE is cut" if args.aligned else "--square is cut from --photo PICTURE"
        raise BadInput(f"{flag}: name one.")
    inputs, outputs = (args.edit, args.photo, args.label_map), (args.out, args.save_map, args.save_sample)
    paths = [path for path in inputs + outputs if path]
    if args.out and len({path.resolve() for path in paths}) < len(paths):
        raise BadInput(f"{args.out} or another file is named twice, and would be written over: give each its own name.")
    for path in outputs:
        if path and not path.parent.is_dir():
            raise BadInput(f"no folder {path.parent}: make it, or name another file.")
        if path:
            files.check_writable(path)


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    check_flags(args)
    with devices.errors_as_sentences():
        if not args.out:
            return serve(args)
        if args.edit:
            return paint_file(args)
        edit, run = edit_by_flags(args)
        write(args, edit, paint(run, edit), text_of(run))


if __name__ == "__main__":
    cli.run(main)
