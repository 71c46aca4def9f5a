"""What evaluate.py shows: the scores it knows, tables of them, histograms, and the best and worst faces."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from facegan import files, pictures
from facegan.evaluation import metrics
from facegan.evaluation.batches import read_face, read_sample
from facegan.results import Results, synthetic

SAME_PERSON = 0.6
"""dlib's threshold."""

SHOWN = 16
"""Faces in the grids of the best and the worst."""

KINDS = {"rec": "reconstruction", "man": "manipulation", "cmask": "colour map", "real": "real photos"}


class Score(NamedTuple):
    label: str
    better: str
    digits: int = 3


SCORES = {
    "l1": Score("L1 inside the regions", "lower", 4),
    "l1_agree": Score("L1 where both maps agree", "lower", 4),
    "psnr": Score("PSNR inside the regions, dB", "higher", 2),
    "ssim": Score("SSIM", "higher"),
    "ms_ssim": Score("MS-SSIM", "higher"),
    "lpips": Score("LPIPS", "lower"),
    "fid": Score("FID", "lower", 1),
    "kid": Score("KID x 1000", "lower", 1),
    "identity": Score("identity: dlib distance", "lower"),
    "same_person": Score(f"identity: share under {SAME_PERSON}", "higher"),
    "retrieval": Score("identity: nearest photo is the right one", "higher"),
    "arcface": Score("identity: ArcFace cosine distance", "lower"),
    "accuracy": Score("map: pixel accuracy", "higher"),
    "miou": Score("map: mean IoU of seven regions", "higher"),
    "color": Score("colour: difference, 0..255", "lower", 2),
    "checkerboard": Score("checkerboard, 1: like real photos", "1"),
    "checkerboard_energy": Score("energy at its frequencies, 1: like real photos", "1"),
}
FACE_SCORES = [name for name in SCORES if name not in ("fid", "kid", "miou", "checkerboard", "checkerboard_energy")]
"""Those that every face has alone, and whose mean is the score."""


def cell(name: str, score: dict | None) -> str:
    """A score in words: value, and its interval or deviation."""
    if score is None:
        return ""
    digits = SCORES[name].digits
    words = f"{score['value']:.{digits}f}"
    if "low" in score:
        words += f" [{score['low']:.{digits}f}, {score['high']:.{digits}f}]"
    if "deviation" in score:
        words += f" ± {score['deviation']:.{digits}f}"
    return words


def markdown(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]) + "\n"


def table(scores: dict[str, dict]) -> str:
    """A row a score, a column a kind of picture."""
    rows = [
        [row.label, row.better, *(cell(name, scores[kind].get(name)) for kind in scores)]
        for name, row in SCORES.items()
        if any(name in values for values in scores.values())
    ]
    return markdown(["score", "better", *(KINDS[kind] for kind in scores)], rows)


def notes(done: dict) -> str:
    """The lines under the table: how to read it, and what is missing."""
    about = done["protocol"]
    lines = [
        f"{about['faces']} {about['split']} faces, {about['size']} pixels, {about['results']['script']}, step "
        f"{about['results']['step']}; background black; [95 % interval over faces]. Chance of retrieval: "
        f"{1 / about['faces']:.4f}. The protocol is in scores.json."
    ]
    if others := done.get("others_identity"):
        lines.append(f"dlib distance between different photographs: {others:.3f} on average.")
    flags = about["results"]["flags"]
    if flags.get("parts"):
        lines.append("Painted of the 18 parts, judged by the seven regions, as runs on these are.")
    if losses := [f"--{name}" for name in ("identity", "perceptual") if flags.get(name)]:
        lines.append(
            f"Trained with {' and '.join(losses)} through dlib's own network, which the dlib distance asks as well: "
            "compare it with ArcFace's."
        )
    if about["parser"] and not about["parser"]["same source as the results"]:
        lines.append(
            "The parser was trained on a dataset at another place: only photographs of equal pixels were looked for."
        )
    lines += [f"{name} is left out: {reason}" for name, reason in done["left_out"].items() if reason != "--skip"]
    return "\n".join(lines) + "\n"


def side_by_side(evaluated: list[tuple[Path, dict]]) -> str:
    """Every score of several results, with its ratio to the first."""
    rows = []
    for kind in ("rec", "man"):
        for name, row in SCORES.items():
            values = [done["scores"].get(kind, {}).get(name) for _, done in evaluated]
            if not any(values):
                continue
            first = values[0] and values[0]["value"]
            ratios = [f" (x {x['value'] / first:.3f})" if x and first and i else "" for i, x in enumerate(values)]
            cells = [cell(name, x) + ratio for x, ratio in zip(values, ratios, strict=True)]
            rows.append([f"{kind}: {row.label}", row.better, *cells])
    return markdown(["score", "better", *(str(folder) for folder, _ in evaluated)], rows)


def face_rows(results: Results, faces: dict[str, np.ndarray]) -> list[dict]:
    """scores.csv: k, map_k and every score that a face has alone, for each kind."""
    columns = {"k": results.k, "map_k": results.map_k}
    for kind in results.kinds:
        columns |= {f"{kind}_{name}": faces[f"{kind}_{name}"] for name in FACE_SCORES if f"{kind}_{name}" in faces}
        if f"{kind}_overlaps" in faces:
            columns[f"{kind}_iou"] = metrics.face_iou(faces[f"{kind}_overlaps"])
    return [{name: column[i].item() for name, column in columns.items()} for i in range(len(results.k))]


def draw_histograms(path: Path, faces: dict[str, np.ndarray]) -> None:
    """A panel a score, the kinds of pictures over each other."""
    names = [name for name in FACE_SCORES if any(f"{kind}_{name}" in faces for kind in ("rec", "man"))]
    names = [name for name in names if name not in ("same_person", "retrieval")]  # yes or no
    figure = Figure(figsize=(12, 3 * -(-len(names) // 3)), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(-(-len(names) // 3), 3, i + 1, title=SCORES[name].label)
        columns = {kind: faces[f"{kind}_{name}"] for kind in KINDS if f"{kind}_{name}" in faces}
        columns = {kind: x[np.isfinite(x)] for kind, x in columns.items()}
        edges = np.histogram_bin_edges(np.concatenate(list(columns.values())), 30)
        for kind, column in columns.items():
            axes.hist(column, edges, histtype="step", linewidth=1.5, label=KINDS[kind])
        axes.legend(fontsize="small")
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def criterion(kind: str, faces: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """What the best and the worst are chosen by, and its column, lower is better."""
    if kind == "rec":
        return ("LPIPS", faces["rec_lpips"]) if "rec_lpips" in faces else ("1 - MS-SSIM", 1 - faces["rec_ms_ssim"])
    return ("dlib distance", faces["man_identity"]) if "man_identity" in faces else ("colour", faces["man_color"])


def draw_extremes(out: Path, results: Results, faces: dict[str, np.ndarray]) -> None:
    """best_16_<kind>.png and worst_16_<kind>.png: photograph, the colour map of the result, and the result."""
    for kind in (kind for kind in ("rec", "man") if kind in results.kinds):
        by, column = criterion(kind, faces)
        order = np.argsort(column, kind="stable")
        order = order[np.isfinite(column[order])]
        for which, places in (("best", order[:SHOWN]), ("worst", order[::-1][:SHOWN])):
            rows = extreme_rows(results, kind, places)
            rows = {f"{which} by\n{by}:\n{label}" if label == "photo" else label: rows[label] for label in rows}
            captions = [f"{k}: {x:.3f}" for k, x in zip(results.k[places], column[places], strict=True)]
            path, text = out / f"{which}_{SHOWN}_{kind}.png", synthetic(results.about)
            pictures.save_png(path, pictures.grid(rows, captions), text)


def extreme_rows(results: Results, kind: str, places: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of a grid of the faces at these places of results.k: label -> (N, S, S, 3) in 0..1."""
    labels = {"real": "photo", ("cmask" if kind == "rec" else "cmask2"): "map", kind: KINDS[kind]}
    rows = {label: [] for label in labels.values()}
    for k, map_k in zip(results.k[places], results.map_k[places], strict=True):
        own, other = (read_sample(results, number, labels=False) for number in (k, map_k))
        for name, label in labels.items():
            sample = other if name in ("man", "cmask2") else own
            rows[label].append(read_face(results, k, name, sample) / 255)
    return {label: np.stack(faces) for label, faces in rows.items()}


def as_json(content: dict) -> str:
    """JSON has no NaN: null."""

    def plain(x):
        if isinstance(x, dict):
            return {name: plain(value) for name, value in x.items()}
        if isinstance(x, (list, tuple)):
            return [plain(value) for value in x]
        return None if isinstance(x, float) and not np.isfinite(x) else x

    return json.dumps(plain(content), indent=2, default=str, allow_nan=False) + "\n"
