"""Save and resume: checkpoints, the held run folder, Ctrl-C."""

import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import tensorflow as tf

from facegan import devices, files, interrupts
from facegan.errors import BadInput

MOST_BYTES = 10**11
"""A file of a checkpoint is not larger."""


class Checkpoints:
    """The state of a training run in run/checkpoints: networks, optimizers, dropout seeds, step.

    state: name -> network or optimizer; fewer than were saved may be named, to test with. The newest two checkpoints
    are kept; TensorFlow writes each under a temporary name, so that a kill leaves the one before. Of several machines
    only the chief saves, all restore: the run folder must be on a disk they share.
    """

    def __init__(self, run: Path, **state):
        self.folder = run / "checkpoints"
        self.step = tf.Variable(0, dtype=tf.int64)
        # lists of variables, not the objects: Keras models do not show TensorFlow the state of their dropout seeds
        self.state = {name: list(thing.variables) for name, thing in state.items()}
        self.variables = [variable for variables in self.state.values() for variable in variables]
        self.checkpoint = tf.train.Checkpoint(step=self.step, **self.state)
        self.place, self.plain = ExitStack(), None
        self.manager, self.unreadable = self.make_manager(), []
        listed, on_disk = list(self.manager.checkpoints), checkpoints_on_disk(self.plain) if self.plain else []
        self.is_list_lost = bool(on_disk) and not any(Path(f"{path}.index").exists() for path in listed)
        self.candidates = on_disk if self.is_list_lost else listed

    def make_manager(self) -> tf.train.CheckpointManager:
        """TensorFlow's manager of the folder, which knows it by its plain name; of no folder before there is one."""
        if self.plain is None and self.folder.is_dir():
            self.plain = self.place.enter_context(files.plain_name(self.folder))
        for path in (self.folder / "checkpoint", *self.folder.glob("ckpt-*.*")):
            if path.exists():  # TensorFlow would wait for a FIFO's writer, and read whatever size
                files.open_regular(path, MOST_BYTES if path.suffix else files.LARGEST).close()
        try:
            return tf.train.CheckpointManager(self.checkpoint, str(self.plain or os.devnull), max_to_keep=2)
        except ValueError:
            raise BadInput(
                f"{self.folder / 'checkpoint'} is damaged: move it away, and the same command finds the checkpoints "
                "without it; they are kept."
            ) from None

    def renew_list(self) -> None:
        """Write TensorFlow's list of those that restore() could read, so that these are the newest two, and remove the
        others."""
        good = [Path(path).name for path in self.candidates if path not in self.unreadable]
        dates = list(map(float, range(1, len(good) + 1)))  # without dates TensorFlow would never remove one of them
        tf.compat.v1.train.update_checkpoint_state(str(self.plain), good[-1], good, None, dates, 0.0)
        for path in self.unreadable:
            for file in self.folder.glob(f"{Path(path).name}.*"):
                file.unlink()
        self.manager, self.unreadable, self.is_list_lost = self.make_manager(), [], False

    def with_its_name(self, text: str) -> str:
        """A message of TensorFlow's with the folder's own name for its plain one."""
        return text.replace(str(self.plain), str(self.folder))

    def restore_together(self) -> int:
        """restore() on every machine. Raises BadInput unless all of them find the same step."""
        step = self.restore()
        if devices.mean_over_machines(step) != step:
            raise BadInput(f"{self.folder} is not the same on all machines: name a --run on a disk that they share.")
        return step

    def restore(self, required: bool = False) -> int:
        """Load the newest checkpoint that can be read, if there is one, and return its step.

        Raises BadInput when there are some, or parts of some, and none can be read, or when there is none and one is
        required.
        """
        if self.is_list_lost:
            print(
                f"{self.folder / 'checkpoint'} does not say which checkpoints there are: they are known by their names"
            )
        for path in reversed(self.candidates):
            try:
                self.load(path)
                return int(self.step.numpy())
            except BadInput:
                raise
            except Exception as error:  # TensorFlow reports damage as anything from IndexError to DataLossError
                reason = self.with_its_name(str(error).splitlines()[0])
                print(f"{self.with_its_name(path)} cannot be read ({reason}); trying the one before")
                self.unreadable.append(path)
        if required or self.candidates or has_files(self.folder):
            raise BadInput(
                f"no usable checkpoint in {self.folder}, where nothing was changed: bring the missing files back, or "
                "train into a new --run."
            )
        return 0

    def load(self, path: str) -> None:
        """Take a checkpoint's values. Raises BadInput when they are in another order, and all sorts of errors when it
        cannot be read."""
        reader = tf.train.load_checkpoint(path)
        types, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
        saved = {
            f"{name}/{i}/.ATTRIBUTES/VARIABLE_VALUE": variable
            for name, variables in self.state.items()
            for i, variable in enumerate(variables)
        }
        ours = [tuple(variable.shape) for variable in saved.values()]
        theirs = [tuple(shapes[key]) if key in shapes else None for key in saved]
        if ours != theirs and Counter(ours) == Counter(theirs):
            raise BadInput(
                f"{self.with_its_name(path)} is of an earlier version, whose networks had their weights in another "
                f"order: to test it or go on, check out a commit that {self.folder.parent / 'starts.json'} names; or "
                "train into a new --run."
            )
        if None in theirs:
            raise BadInput(
                f"{self.with_its_name(path)} lacks weights that {self.folder.parent / 'args.json'} asks for: bring "
                "that file back as it was; of a run of an earlier version, check out a commit that starts.json names."
            )
        if ours != theirs:
            raise BadInput(
                f"{self.with_its_name(path)} holds other networks than {self.folder.parent / 'args.json'} describes: "
                "bring that file back as it was; what was trained is kept."
            )
        if all(types[key] == tf.as_dtype(variable.dtype) for key, variable in saved.items()):
            self.checkpoint.restore(path).expect_partial().assert_existing_objects_matched()
            return
        for key, variable in saved.items():  # a run in float64 is tested, exported or edited in float32
            variable.assign(tf.cast(reader.get_tensor(key), variable.dtype))
        self.step.assign(reader.get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE"))

    def save(self, step: int) -> None:
        """Write checkpoint ckpt-<step>. Raises BadInput when a weight is not finite or the disk is full."""
        if not devices.is_chief():
            return
        for name, variables in self.state.items():
            if not all(bool(tf.reduce_all(tf.math.is_finite(tf.cast(v, tf.float32)))) for v in variables):
                good = [path for path in self.manager.checkpoints if path not in self.unreadable]
                state = last_good(self.folder, int(good[-1].rpartition("-")[2]) if good else 0)
                raise BadInput(
                    f"{name} is not finite at step {step} (NaN); {state}. Start a new --run with a lower "
                    "--learning-rate, or with --precision float32."
                )
        self.step.assign(step)
        if self.plain is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.manager = self.make_manager()
        if self.unreadable or self.is_list_lost:
            self.renew_list()
        try:
            self.manager.save(step)
        except tf.errors.OpError as error:
            remove_leftovers(self.folder)
            raise BadInput(
                f"cannot save step {step} in {self.folder} ({self.with_its_name(devices.reason(error))}); "
                "the checkpoints before it are kept: make room, and the same command goes on from there."
            ) from None


def has_files(folder: Path) -> bool:
    """Whether a folder holds a file of any checkpoint; what a kill in the middle of a save left is none."""
    return any(path.is_file() for path in folder.glob("ckpt-*"))


def checkpoints_on_disk(folder: Path) -> list[str]:
    """The checkpoints in a folder, oldest first, by the names of their files: TensorFlow's list may be lost."""
    matches = (re.fullmatch(r"ckpt-(\d+)\.index", path.name) for path in folder.glob("ckpt-*.index"))
    return [str(folder / f"ckpt-{step}") for step in sorted(int(match[1]) for match in matches if match)]


def last_good(folder: Path, step: int) -> str:
    """Which state is kept when a number is not finite."""
    return f"{folder} keeps " + (f"the last good state, of step {step}" if step else "no state from before")


def remove_leftovers(folder: Path) -> None:
    """Remove what a save that was killed or found no room left behind."""
    for leftover in folder.glob("*_temp*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def hold_folder(run: Path) -> Iterator[list[int]]:
    """Hold a run folder while training there; yields a list that is empty until Ctrl-C or SIGTERM asks to stop.

    Raises BadInput when another process trains there. Of several machines, the chief holds it.
    """
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    with files.lock(run / ".lock") if devices.is_chief() else nullcontext(), stop_on_signal() as stops:
        if devices.is_chief():
            remove_leftovers(run / "checkpoints")
            for folder in (run, run / "grids"):
                files.remove_leftovers(folder)
        yield stops


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM are noted in the list that is yielded, so that the loop can stop after its step."""
    stops: list[int] = []

    def request(number, frame):
        stops.append(number)
        signal.signal(number, interrupts.interrupt)  # a second one does not wait

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
