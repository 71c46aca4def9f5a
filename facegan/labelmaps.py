"""Label maps to look at and to score: colours, map over photograph, legend, confusion, IoU. No TensorFlow."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facegan import regions

NAMES = ("background", *regions.PARTS)
"""label id -> name"""
IDS = len(NAMES)


def colored(labels: np.ndarray) -> np.ndarray:
    """Label ids (..., H, W) -> the dataset's own colours (..., H, W, 3) in 0..1."""
    return regions.LABEL_COLORS[labels].astype(np.float32) / 255


def over_photo(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A map laid half transparent over its photograph, (..., H, W, 3) in 0..1; the background stays photograph."""
    share = np.where(labels == 0, 0.0, 0.5).astype(np.float32)[..., None]
    return photo * (1 - share) + colored(labels) * share


def with_legend(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """over_photo() of one face, (H, W, 3) in 0..1, with the parts found named beside it. Returns (H, H', 3) uint8."""
    height, width = labels.shape
    ids = [label for label in np.unique(labels) if label]
    line, font = height // IDS, ImageFont.load_default(max(10, height // 32))
    margin = line + max(int(font.getlength(name)) for name in NAMES) + 24
    canvas = Image.new("RGB", (width + margin, height), "white")
    canvas.paste(Image.fromarray((over_photo(photo, labels) * 255).round().astype(np.uint8)))
    draw = ImageDraw.Draw(canvas)
    for row, label in enumerate(ids):
        top, left = 4 + row * line, width + 8
        draw.rectangle((left, top, left + line - 6, top + line - 6), tuple(regions.LABEL_COLORS[label].tolist()))
        draw.text((left + line + 2, top + line // 2 - 3), NAMES[label], "black", font, anchor="lm")
    return np.asarray(canvas)


def confusion(truth: np.ndarray, prediction: np.ndarray, ids: int = IDS) -> np.ndarray:
    """How often each id was found where each was given: two label maps of one shape -> counts (ids, ids)."""
    pairs = truth.astype(np.int64).ravel() * ids + prediction.ravel()
    return np.bincount(pairs, minlength=ids * ids).reshape(ids, ids)


def iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union of each id from a confusion, (..., ids); NaN for one that is neither given nor found."""
    counts = np.asarray(counts, float)
    both = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(-1) + counts.sum(-2) - both
    return np.divide(both, union, out=np.full_like(union, np.nan), where=union > 0)


def accuracy(counts: np.ndarray) -> float:
    """The share of pixels that were found as given, from a confusion."""
    return float(np.trace(counts) / counts.sum())


def of_regions(counts: np.ndarray) -> np.ndarray:
    """The confusion of background and the seven regions, (8, 8), from that of the parts, (19, 19)."""
    member = np.eye(len(regions.REGIONS) + 1)[regions.LABEL_REGION]  # (19, 8)
    return member.T @ counts @ member


def summary(counts: np.ndarray) -> dict:
    """What scores.json says, from the confusion of all pixels of all faces: IoU 0..1, None where a part never is."""

    def named(names, values):
        return {name: None if np.isnan(x) else round(float(x), 4) for name, x in zip(names, values, strict=True)}

    parts, areas = iou(counts), iou(of_regions(counts))
    return {
        "accuracy": round(accuracy(counts), 4),
        "mean_iou_parts": round(float(np.nanmean(parts[1:])), 4),
        "mean_iou_with_background": round(float(np.nanmean(parts)), 4),
        "mean_iou_regions": round(float(np.nanmean(areas[1:])), 4),
        "iou_parts": named(NAMES, parts),
        "iou_regions": named(("background", *regions.REGIONS), areas),
        "share_of_pixels": named(NAMES, counts.sum(1) / counts.sum()),
    }


def table(scored: dict) -> str:
    """scores.json as Markdown."""
    lines = ["| part | pixels | IoU |", "|---|---|---|"]
    for name, value in scored["iou_parts"].items():
        lines.append(f"| {name} | {scored['share_of_pixels'][name]:.2%} | {'' if value is None else f'{value:.3f}'} |")
    lines += [f"| mean of the parts | | {scored['mean_iou_parts']:.3f} |", "", "| region | IoU |", "|---|---|"]
    for name, value in scored["iou_regions"].items():
        lines.append(f"| {name} | {'' if value is None else f'{value:.3f}'} |")
    lines.append(f"| mean of the seven regions | {scored['mean_iou_regions']:.3f} |")
    return "\n".join(
        [*lines, "", f"Pixel accuracy {scored['accuracy']:.4f}, {scored['faces']} {scored['split']} faces."]
    )
