"""The loop around a script's train_step: it resumes, saves, shows and stops, and knows no network and no loss."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from facegan import checkpoints, pipeline, report, runs, runtime


def train(
    args,
    faces: tuple[np.ndarray, np.ndarray],
    State: Callable,
    make_train_step: Callable,
    epoch_batches: Callable,
    show: Callable,
    after_saving: Callable = lambda state: None,
) -> None:
    """Train in args.run until args.epochs, from its last checkpoint on. Raises KeyboardInterrupt, once it has saved,
    when asked to stop.

    faces: the numbers of those that train, and of those that test.
    State(args): the networks and optimizers, and their checkpoints.Checkpoints as .checkpoints.
    make_train_step(args, state, strategy, xla): train_step(batch, step) -> losses by name.
    epoch_batches(epoch, first_step, context): the dataset of what is left of an epoch, for one of several machines.
    show(state): the grid of an epoch's end, (H, W, 3) uint8. after_saving(state): called after each checkpoint.
    """
    strategy, steps = runtime.strategy(), runs.steps_of_an_epoch(args, len(faces[0]))

    def batches(epoch: int, first_step: int):
        return strategy.distribute_datasets_from_function(partial(epoch_batches, epoch, first_step))

    with checkpoints.training_in(args.run) as stops:
        runs.record(args, *(numbers.tolist() for numbers in faces))
        with strategy.scope():
            state = State(args)
        step, last = state.checkpoints.restore_together(), args.epochs * steps
        make_step = partial(make_train_step, args, state, strategy)
        train_step = make_step(runtime.choose_xla(args.xla, make_step, batches(0, 0), state.checkpoints.variables))
        with report.Progress(args.run, step, last, args.batch_size) as progress:
            while step < last:
                for batch in batches(*divmod(step, steps)):
                    losses = train_step(batch, tf.constant(step))
                    step += 1
                    stop, epoch_ends = runtime.stop_agreed(stops, step), step % steps == 0
                    progress.update(step, losses, log=stop or epoch_ends)
                    if stop or epoch_ends or progress.time_to_save():
                        state.checkpoints.save(step)
                        after_saving(state)
                    if epoch_ends and runtime.is_chief():
                        progress.show_grid(step // steps, step, show(state))
                    if stop:
                        raise KeyboardInterrupt
        after_saving(state)  # where a kill came between the two
    print(f"{args.run}: trained {step} steps, {step // steps} epochs of {len(faces[0])} faces")


def dry_run(
    args, faces: tuple[np.ndarray, np.ndarray], State: Callable, passes: dict[str, int], judged: int = 0
) -> None:
    """Print what train() would do, as report.describe_run(); passes: name of a network in State -> passes a step."""
    pipeline.check_size(args.data, args.size)
    with runtime.strategy().scope():
        state = State(args)
    steps = runs.steps_of_an_epoch(args, len(faces[0]))
    report.describe_run(args, steps, *faces, {getattr(state, name): n for name, n in passes.items()}, judged)


def shown_faces(train_numbers: np.ndarray, test_numbers: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """The faces of each epoch's grid, up to four of each split and always the same, and a caption for each of them."""
    parts = {"train": train_numbers[:4], "test": test_numbers[:4]}
    return list(parts.values()), [f"{name} {k}" for name, numbers in parts.items() for k in numbers]
