"""What stands around the loop of a script's train(): hold the run folder, resume, count, log, save, stop."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import tensorflow as tf

from facegan import checkpoints, devices, run_folder
from facegan.progress import Progress, best_epoch
from facegan.run_folder import Split, TrainingArgs


@contextmanager
def hold_run(args: TrainingArgs, split: Split) -> Iterator["Training"]:
    """Hold args.run, where nobody else may train meanwhile, record the flags and the numbers of the faces there, and
    yield the Training."""
    steps = run_folder.steps_of_an_epoch(args, len(split.train))
    with checkpoints.hold_folder(args.run) as stops, ExitStack() as stack:
        run_folder.record(args, split)
        training = Training(args, steps, stops, stack)
        yield training
    print(f"{args.run}: trained {training.step} steps, {training.step // steps} epochs of {len(split.train)} faces")
    if devices.is_chief() and (best := best_epoch(args.run / "metrics.csv", steps)):
        print(best)


class Training:
    """step: how many steps are done. epoch_ended: whether the last one was the last of its epoch. stopped: whether
    Ctrl-C or a signal asked to stop after it. It begins with resume()."""

    def __init__(self, args: TrainingArgs, steps_of_an_epoch: int, stops: list[int], stack: ExitStack):
        self.args, self.steps_of_an_epoch, self.stops, self.stack = args, steps_of_an_epoch, stops, stack
        self.step, self.last = 0, args.epochs * steps_of_an_epoch
        self.epoch_ended = self.stopped = False

    def resume(self, state: checkpoints.Checkpoints) -> None:
        """Take the newest checkpoint's values, if there is one, and go on from its step; show progress from now on."""
        self.checkpoints, self.step = state, state.restore_together()
        progress = Progress(self.args.run, self.step, self.last, self.args.batch_size)
        self.progress = self.stack.enter_context(progress)

    def epochs(self) -> Iterator[tuple[int, int]]:
        """The epochs that are left, each with the step in it to begin with. Raises KeyboardInterrupt once stopped."""
        while self.step < self.last:
            yield divmod(self.step, self.steps_of_an_epoch)
            if self.stopped:
                raise KeyboardInterrupt

    def finish_step(self, losses: dict[str, tf.Tensor], faces: tf.Tensor) -> None:
        """Count the step, and log losses now and then. faces: the numbers of the batch's."""
        self.step += 1
        self.stopped = devices.stop_agreed(self.stops, self.step)
        self.epoch_ended = self.step % self.steps_of_an_epoch == 0
        self.progress.update(self.step, losses, faces=faces, log=self.stopped or self.epoch_ended)

    def show(self, picture: np.ndarray) -> None:
        """Keep an epoch's grid, (H, W, 3) uint8. This comes before save_in_time(): after a kill in between, the epoch's
        end is trained and painted again, so that no grid is left out."""
        self.progress.show_grid(self.step // self.steps_of_an_epoch, self.step, picture)

    def log_validation(self, losses: dict[str, float]) -> None:
        """Log losses over the validation faces, as val/..., beside those of the epoch's last step."""
        self.progress.log_validation(self.step, losses)

    def save_in_time(self) -> bool:
        """Save after an epoch or ten minutes, or when told to stop; whether that was so."""
        due = self.stopped or self.epoch_ended or self.progress.time_to_save()
        if due:
            self.checkpoints.save(self.step)
            self.progress.saved_step = self.step
        return due


def grid_faces(split: Split) -> tuple[list[np.ndarray], list[str]]:
    """The faces of each epoch's grid, always the same: up to four that train and up to four that do not, test faces
    only where none validate, as whoever looks at them chooses by them; and a caption for each."""
    parts = {"train": split.train[:4]}
    parts |= {"validation": split.validation[:4]} if len(split.validation) else {"test": split.test[:4]}
    return list(parts.values()), [f"{name} {k}" for name, numbers in parts.items() for k in numbers]
