"""What stands around the loop of a script's train(): it resumes, logs, saves, shows and stops; it knows no network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import tensorflow as tf

from facegan import checkpoints, devices, pipeline, runs, runtime
from facegan.dry_run import describe_training
from facegan.progress import Progress


@contextmanager
def training(
    args, faces: tuple[np.ndarray, np.ndarray], State: Callable, make_train_step: Callable, epoch_batches: Callable
) -> Iterator["Training"]:
    """Hold args.run and yield its Training, which goes on from the last checkpoint.

    faces: the numbers of those that train, and of those that test.
    State(args): the networks and optimizers, and their checkpoints.Checkpoints as .checkpoints.
    make_train_step(args, state, strategy, xla): train_step(batch, step) -> losses by name.
    epoch_batches(epoch, first_step, context): the dataset of what is left of an epoch, for one of several machines.
    """
    strategy, steps = devices.strategy(), runs.steps_of_an_epoch(args, len(faces[0]))

    def batches(epoch: int, first_step: int):
        return strategy.distribute_datasets_from_function(partial(epoch_batches, epoch, first_step))

    with checkpoints.training_in(args.run) as stops:
        runs.record(args, *(numbers.tolist() for numbers in faces))
        with strategy.scope():
            state = State(args)
        step, last = state.checkpoints.restore_together(), args.epochs * steps
        make_step = partial(make_train_step, args, state, strategy)
        train_step = make_step(runtime.choose_xla(args.xla, make_step, batches(0, 0), state.checkpoints.variables))
        with Progress(args.run, step, last, args.batch_size) as progress:
            yield (run := Training(state, train_step, batches, step, steps, last, stops, progress))
    print(f"{args.run}: trained {run.step} steps, {run.step // steps} epochs of {len(faces[0])} faces")


class Training:
    """state and train_step are the script's; step: how many were done; saved: the chief saved after the last; shows: it
    ended an epoch, and this machine shows the epoch's grid; stop: it was the last before a stop."""

    def __init__(self, state, train_step: Callable, epoch_batches: Callable, step, steps, last, stops, progress):
        self.state, self.train_step, self.epoch_batches = state, train_step, epoch_batches
        self.step, self.steps, self.last, self.stops, self.progress = step, steps, last, stops, progress
        self.saved = self.shows = self.stop = False

    def batches(self) -> Iterator:
        """The batches of the epochs that are left. Raises KeyboardInterrupt after the step that was told to stop."""
        while self.step < self.last:
            for batch in self.epoch_batches(*divmod(self.step, self.steps)):
                yield batch
                if self.stop:
                    raise KeyboardInterrupt

    def finish_step(self, losses: dict[str, tf.Tensor]) -> None:
        """Count the step, log losses now and then, and save after an epoch or ten minutes, or when told to stop."""
        self.step += 1
        self.stop, epoch_ended = devices.stop_agreed(self.stops, self.step), self.step % self.steps == 0
        self.progress.update(self.step, losses, log=self.stop or epoch_ended)
        self.saved = self.stop or epoch_ended or self.progress.time_to_save()
        if self.saved:
            self.state.checkpoints.save(self.step)
        self.shows = epoch_ended and devices.is_chief()

    def show(self, picture: np.ndarray) -> None:
        """Keep an epoch's grid, (H, W, 3) uint8."""
        self.progress.show_grid(self.step // self.steps, self.step, picture)


def dry_run(
    args, faces: tuple[np.ndarray, np.ndarray], State: Callable, passes: dict[str, int], judged: int = 0
) -> None:
    """Print what a training would do, as describe_training(); passes: name of a network in State -> passes a step."""
    pipeline.check_size(args.data, args.size)
    with devices.strategy().scope():
        state = State(args)
    steps = runs.steps_of_an_epoch(args, len(faces[0]))
    describe_training(args, steps, *faces, {getattr(state, name): n for name, n in passes.items()}, judged)


def shown_faces(train_numbers: np.ndarray, test_numbers: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """The faces of each epoch's grid, up to four of each split and always the same, and a caption for each of them."""
    parts = {"train": train_numbers[:4], "test": test_numbers[:4]}
    return list(parts.values()), [f"{name} {k}" for name, numbers in parts.items() for k in numbers]
