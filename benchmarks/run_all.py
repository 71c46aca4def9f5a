"""Run the benchmarks and write benchmarks/RESULTS.md, section by section. Leave the machine alone meanwhile.

python benchmarks/run_all.py                          # what `make bench` does; some hours on two slow cores
python benchmarks/run_all.py --before ../before       # beside a checkout of another commit, git worktree's or a clone's
python benchmarks/run_all.py --only Inference         # this section anew; the others stay as they are
"""

import datetime
import os
import platform
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import cli, files, run_folder
from facegan.errors import BadInput

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
STEP = ["train_step.py", "--rounds", "2", "--only"]
SECTIONS = {
    "Training step, 128 x 128, batch 16": [*STEP, "pix2pix.py"],
    "Training step of the other two scripts, 128 x 128, batch 16": [*STEP, "pix2pix_"],
    "Training step, 128 x 128, batch 4": [*STEP, "pix2pix.py", "--batch-size", "4"],
    "Training step, 256 x 256, batch 4": [*STEP, "pix2pix.py", "--size", "256", "--batch-size", "4"],
    "Memory, 256 x 256, batch 16": [
        *STEP, "pix2pix.py default", "--size", "256", "--batch-size", "16", "--steps", "1", "--rounds", "1",
    ],
    "Profile": ["profile_step.py"],
    "Inference": ["inference.py"],
    "Painting as --test does": ["inference.py", "--batch-size", "16", "--size", "128", "--rounds", "5"],
    "Input": ["input_pipeline.py"],
    "Preprocessing": ["preprocess.py"],
    "Editor": ["edit_latency.py"],
}  # fmt: skip
"""Title -> script and flags. recipes.py takes hours and has its own page, recipes.md."""


@dataclass
class Args:
    only: str = ""
    """sections whose titles contain this"""
    before: Path | None = None
    """checkout of another commit, for the training steps"""


def processor() -> str:
    """The processor's name, and what it has for 16 bits."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    units = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in fields.get("flags", "").split()]
    return f"{fields.get('model name', platform.machine())} ({', '.join(units)})"


def section(title: str, command: list[str]) -> str:
    """Run one benchmark; its heading, command, machine, and what it printed from the line over its table on. Raises
    BadInput."""
    words = shlex.join(["python", f"benchmarks/{command[0]}", *command[1:]])
    print(f"{title}: {words}", flush=True)
    # each script, and another commit's, turns oneDNN on for itself
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, HERE / command[0], *command[1:]]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise BadInput(f"{words} ended with {done.returncode}; the sections before it are in {RESULTS}.")
    lines = done.stdout.strip().splitlines()
    table = next((i for i, line in enumerate(lines) if line.startswith("|")), len(lines))
    installed = {package.name: package.version for package in metadata.distributions()}
    versions = ", ".join(
        f"{name} {installed[name]}" for name in ("tensorflow", "keras", "torch", "numpy") if name in installed
    )
    about = f"{datetime.date.today()}, commit {(run_folder.git_commit() or 'unknown')[:7]}, {processor()}, {versions}"
    text = "\n".join(lines[max(0, table - 2) :])
    return f"## {title}\n\n`{words}`\\\n{about}\n\n{text}\n"


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    if not (chosen := [title for title in SECTIONS if args.only in title]):
        raise BadInput(f"--only {args.only}: none of {', '.join(SECTIONS)}.")
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    introduction, *parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    sections = {part.splitlines()[0].removeprefix("## "): part for part in parts}
    for title in chosen:
        command = SECTIONS[title]
        if args.before and command[0] == "train_step.py":
            command = [*command, "--before", str(args.before)]
        sections[title] = section(title, command)
        ordered = [sections[name].rstrip() + "\n" for name in SECTIONS if name in sections]
        ordered += [part for name, part in sections.items() if name not in SECTIONS]  # written by hand
        files.write_text(RESULTS, "\n".join([(introduction.rstrip() or "# Results") + "\n", *ordered]))
    print(RESULTS)


if __name__ == "__main__":
    cli.run(main)
