"""The results folder: --test writes it, evaluate.py reads it back.

<k>_<name>.png   the pictures of face k: real, cmask, rec, cmask2, man (what a script shows)
results.csv      a row a face: k, map_k and the scores of that picture
grid.png         up to eight faces, labelled
index.html       every face, a page at a time
results.json     script, run, step, flags, dataset (run_folder.about_test); written last, when everything else is there
"""

import html
import json
from contextlib import ExitStack
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from facegan import files, picture_files, pictures, prepared
from facegan.errors import BadInput, brief

PAGE = Path(__file__).with_name("results.html")
"""A string.Template of index.html."""

AGAIN = "bring it back as it was, or run --test into that folder again."


def is_number(value: object) -> bool:
    return type(value) in (int, float)


RESULTS = {
    "script": str,
    "step": int,
    "split": str,
    "data": str,
    "source": prepared.PREPARED,
    "flags": {"batch_size": int, "map_consistency?": is_number, "parser?": str},
    "faces?": int,
}
"""What results.json holds (files.fault)."""


GENERATED = {"rec", "man"}
"""Names of the pictures that a generator painted."""


def synthetic(about: dict) -> dict[str, str]:
    """What a picture of generated faces says: about as in results.json."""
    return pictures.synthetic(Path(about.get("run", about["script"])).name, about["step"])


# --- write ------------------------------------------------------------------------------------------------------------


class ResultsWriter:
    """Writes the pictures batch by batch; on leaving also the table, the grid, the page and results.json. Holds the
    folder meanwhile: raises BadInput when another --test does."""

    GRID_COLUMNS = 8

    def __init__(self, out: Path, about: dict, numbers: np.ndarray, labels: dict[str, str], also: dict | None = None):
        """about: run_folder.about_test(). labels: name of a picture -> its label, the top row of the grid first.
        also: not in the grid."""
        self.out, self.about, self.labels, self.kinds = out, about, labels, labels | (also or {})
        self.title = f"{about['script'].removesuffix('.py')}, {about['split']} faces, step {about['step']}"
        self.text = synthetic(about)
        self.rows, self.columns = [], []
        places = np.linspace(0, len(numbers) - 1, min(self.GRID_COLUMNS, len(numbers))).astype(int)
        self.in_grid = set(numbers[places].tolist())
        out.mkdir(parents=True, exist_ok=True)
        self.hold = ExitStack()
        self.hold.enter_context(files.lock(out / ".lock"))  # two would mix their pictures
        files.remove_leftovers(out)
        (out / "results.json").unlink(missing_ok=True)  # from here on pictures of two runs may lie side by side
        for path in (out / "evaluation").glob("*"):  # evaluate.py's, of the pictures before
            if path.suffix in (".json", ".md", ".csv", ".png"):
                path.unlink()
        self.bar = tqdm(total=len(numbers), desc="painting", unit="face")

    def add(self, batch: dict[str, np.ndarray], about: dict[str, np.ndarray]) -> None:
        """Write a batch: pictures (B, S, S, 3) by name; about: columns of results.csv, (B,) each, k first."""
        for i in range(len(about["k"])):
            self.rows.append({name: column[i].item() for name, column in about.items()})
            k = self.rows[-1]["k"]
            for name in self.kinds:
                text = self.text if name in GENERATED else None
                pictures.save_png(self.out / f"{k}_{name}.png", batch[name][i], text)
            if k in self.in_grid:
                self.columns.append((str(k), {name: batch[name][i] for name in self.labels}))
            self.bar.update()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.bar.close()
        with self.hold:
            if not failure:
                self.finish()

    def finish(self) -> None:
        """Write what is made of all faces, results.json last, and print the mean scores."""
        files.write_csv(self.out / "results.csv", self.rows)
        write_page(self.out / "index.html", self.title, self.rows, dict(reversed(self.kinds.items())))
        grid = {label: np.stack([column[name] for _, column in self.columns]) for name, label in self.labels.items()}
        text = self.text if GENERATED & set(self.labels) else None
        pictures.save_png(self.out / "grid.png", pictures.grid(grid, [k for k, _ in self.columns]), text)
        about = {**self.about, "faces": len(self.rows)}
        files.write_text(self.out / "results.json", json.dumps(about, indent=2) + "\n")
        scores = [name for name, x in self.rows[0].items() if isinstance(x, float)]
        means = {name: np.nanmean([row[name] for row in self.rows]) for name in scores}
        print(", ".join(f"{name} {x:.4f}" for name, x in means.items()) + f" (mean of {len(self.rows)} faces)")
        print(f"grid: {self.out / 'grid.png'}\npage: {self.out / 'index.html'}")


def write_page(path: Path, title: str, rows: list[dict], kinds: dict[str, str]) -> None:
    """Write index.html beside the pictures: every row of results.csv, a page at a time, sortable by score.

    kinds: suffix of the picture's file name -> caption, in the order to show.
    """
    rounded = [{name: round(x, 5) if isinstance(x, float) else x for name, x in row.items()} for row in rows]
    data = json.dumps(rounded)  # a missing score is NaN, which JavaScript reads as such
    template = Template(PAGE.read_text(encoding="utf-8"))
    page = template.substitute(title=html.escape(title), rows=data.replace("</", "<\\/"), kinds=json.dumps(kinds))
    files.write_text(path, page)


# --- read -------------------------------------------------------------------------------------------------------------


class Results(NamedTuple):
    """A folder of pix2pix*.py --test that is complete."""

    folder: Path
    about: dict
    """results.json"""
    data: Path
    """the prepared folder that the faces came from"""
    k: np.ndarray
    map_k: np.ndarray
    """the face whose map the manipulated picture follows; k itself where there is none"""
    kinds: list[str]
    """what there is to measure: rec, man, cmask, real"""

    @property
    def size(self) -> int:
        return self.about["source"]["size"]

    @property
    def region_count(self) -> int:
        return prepared.REGION_COUNTS[prepared.kind_of_regions(self.about["source"])]


def read_results(folder: Path, data: Path | None) -> Results:
    """Raises BadInput when --test has not finished there, or when data is not what its faces came from."""
    path = folder / "results.json"
    if not path.is_file():
        raise BadInput(f"no finished results in {folder} ({path.name} is missing): {AGAIN}")
    about = files.read_json(path, AGAIN, RESULTS)
    if about.get("script") == "parse_face.py":
        raise BadInput(f"{folder} holds maps that parse_face.py found and scored itself: see scores.md there.")
    data, source = data or Path(about["data"]), about["source"]
    k, map_k = read_numbers(folder / "results.csv", about)
    if other := files.difference(*map(prepared.settings, (source, prepared.describe(data)))):
        raise BadInput(f"{folder} was painted from another folder than {data} ({other}): see --data.")
    if len(k) < 2:
        raise BadInput(f"{folder} has {len(k)} face: scores of a set need at least two, better hundreds.")
    kinds = ["rec", "man", "cmask", "real"] if (k != map_k).any() else ["rec", "cmask", "real"]
    return Results(folder, about, data, k, map_k, kinds)


def check_unchanged(results: Results) -> None:
    """Raise BadInput when --test wrote into the folder since it was read: its pictures may be of two runs."""
    path = results.folder / "results.json"
    if not path.is_file() or files.read_json(path, AGAIN, RESULTS) != results.about:
        raise BadInput(f"{results.folder} was painted anew meanwhile: run evaluate.py again when --test has ended.")


def check_same_faces(several: list[Results]) -> None:
    """Raise BadInput unless all are of the same faces: sets of others do not compare."""
    first, *others = several
    for other in others:
        numbers = sorted(first.k.tolist())
        alike = numbers == sorted(other.k.tolist())
        same_pixels = all(first.about["source"].get(x) == other.about["source"].get(x) for x in ("size", "resample"))
        if alike and same_pixels:  # the same numbers, but of which dataset?
            alike = all(prepared.photo_crc(first.data, k) == prepared.photo_crc(other.data, k) for k in numbers[:8])
        if not alike:
            raise BadInput(
                f"{first.folder} and {other.folder} are of different faces, whose scores do not compare: paint the "
                "same ones with --test, or evaluate each alone."
            )


def read_numbers(path: Path, about: dict) -> tuple[np.ndarray, np.ndarray]:
    """k and map_k of every row of results.csv. Raises BadInput when it is damaged, or has not as many as results.json
    says."""
    rows = files.read_csv(path, ["k", "map_k"], AGAIN)
    pairs = [[files.face_number(cell) for cell in row[:2]] for row in rows]
    if odd := [row for row, pair in zip(rows, pairs, strict=True) if None in pair or len(pair) < 2]:
        raise BadInput(f"{path} is damaged (a row is {brief(','.join(odd[0]))!r}): {AGAIN}")
    k, map_k = np.array(pairs, int).reshape(-1, 2).T
    faces = len(set(k.tolist()))
    expected = about.get("faces", faces)  # results of earlier versions do not say how many
    if not len(k) == faces == expected:
        raise BadInput(
            f"{path} is damaged: results.csv has {len(k)} rows of {faces} faces, painted were {expected}: {AGAIN}"
        )
    return k, map_k


def read_picture(path: Path, size: int) -> np.ndarray:
    """(S, S, 3) uint8. Raises BadInput when it is missing, damaged or of another size."""
    try:
        header = picture_files.open_header(picture_files.read(path, path.name), path.name)
        width, height = header.picture.size
        if (width, height) != (size, size):
            raise BadInput(f"{path.name} is {width} x {height}, expected {size} x {size}")
        picture_files.decode(header)
        return picture_files.to_rgb(header)
    except BadInput as error:
        raise BadInput(f"{path} is missing or damaged ({error}): run --test into its folder again.") from None
