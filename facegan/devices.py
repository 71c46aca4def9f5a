"""Devices and machines to train on, and what they fail with as sentences. Import this module before TensorFlow."""

import errno
import functools
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # most of the noise at start-up
# oneDNN computes convolutions 1.5 to 3 x as fast; of itself, TensorFlow turns it on only for CPUs with AVX-512 and more
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Another project's ~/.keras/keras.json may name another backend, or order of axes; below a device there is no such file
os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=os.devnull)

from facegan.quiet import check_processor, quiet

# isort: split
with quiet():  # some lines on oneDNN, CUDA and instruction sets, which no level of logging leaves out
    check_processor()
    import tensorflow as tf

    if not any(os.path.exists(driver) for driver in ("/dev/nvidiactl", "/dev/dxg")):
        tf.config.list_physical_devices()  # the first look for a GPU writes that there is no driver

from facegan.errors import BadInput

AGREE_STEPS = 20
"""Several machines ask each other this often whether one was told to stop."""

LOST_MACHINE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError)
"""What the others raise when one is gone."""

NOISE = re.compile(r"\{\{.*?\}\} ?")
"""Names of graph nodes in TensorFlow's error messages."""

REFUSALS = [errno.EACCES, errno.EPERM, errno.EIO, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST]
REFUSALS += [errno.ENAMETOOLONG, errno.EFBIG, errno.ELOOP, errno.ESTALE]
DISK = re.compile("; (" + "|".join(map(os.strerror, REFUSALS)) + ")")
"""How a message of TensorFlow's ends that says what the system refused: after the file's name."""

REASONS = re.compile("aborted by|[Ss]ocket|connect|No space|quota|memory|OOM|No such file|" + DISK.pattern)
"""Words of the line of such a message that says why."""


# --- what there is to compute with ------------------------------------------------------------------------------------


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """What to train with: several machines when TF_CONFIG or Slurm say so, else all local GPUs, else the CPU."""
    if resolver := cluster_resolver():
        print(f"machine {resolver.task_id} of {machines()}: waiting for the others", flush=True)
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would not hear a Ctrl-C in there
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        except tf.errors.UnknownError as error:
            address = resolver.cluster_spec().task_address("worker", resolver.task_id)
            raise BadInput(f"cannot listen at {address} ({reason(error)}): is this machine started twice?") from None
        finally:
            signal.signal(signal.SIGINT, before)
    # more than one CPU device only where somebody configured virtual ones
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def share_gpus() -> None:
    """Take GPUs' memory as it is needed, and not all of it at the start, before anything is computed on them."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def machines() -> int:
    """How many machines train together."""
    return cluster_resolver().cluster_spec().num_tasks("worker") if cluster_resolver() else 1


def in_words() -> str:
    """For instance "1 GPU", "2 CPU cores" or "2 machines with 8 devices"."""
    if machines() > 1:
        return f"{machines()} machines with {strategy().num_replicas_in_sync} devices"
    if n := len(tf.config.list_physical_devices("GPU")):
        return f"{n} GPU{'s' if n > 1 else ''}"
    n = strategy().num_replicas_in_sync
    return f"{len(os.sched_getaffinity(0))} CPU cores" + (f" as {n} devices" if n > 1 else "")


@functools.cache
def cluster_resolver() -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """What TF_CONFIG, or else srun's environment, says about the machines; None for a single one. Raises BadInput."""
    if "TF_CONFIG" in os.environ:
        workers = workers_of(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver() if workers > 1 else None
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":  # srun, not a shell inside an allocation
        return slurm_resolver()
    return None


def workers_of(text: str) -> int:
    """How many machines a TF_CONFIG names. Raises BadInput when it does not name them and this one's place."""
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        one_list = set(config["cluster"]) == {"worker"}
        if not (one_list and task["type"] == "worker" and 0 <= task["index"] < len(workers)):
            raise ValueError("one list of workers, and this one's place in it")
        if len(workers) > 1 and not all(re.fullmatch(r".+:[0-9]{1,5}", worker, re.ASCII) for worker in workers):
            raise ValueError("a worker is host:port")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"TF_CONFIG is not understood ({error!r}); expected "
            '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}.'
        ) from None
    return len(workers)


def slurm_resolver() -> tf.distribute.cluster_resolver.ClusterResolver:
    """What srun's environment says. Raises BadInput."""
    try:
        port = 10000 + int(os.environ.get("SLURM_JOB_ID", 0)) % 20000  # jobs that share a node do not meet
        # Slurm itself shares out the GPUs; the resolver would need nvidia-smi to count them
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=1000, gpus_per_task=1, auto_set_gpu=False
        )
        resolver.cluster_spec()  # finds out which of the tasks this is
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"Slurm's environment is not understood: {error}") from None
    return resolver


# --- machines that agree ----------------------------------------------------------------------------------------------


def is_chief() -> bool:
    """Whether this process writes: the first of several machines, or the only one."""
    return cluster_resolver() is None or cluster_resolver().task_id == 0


def mean_over_machines(value: float) -> float:
    """The mean of a number that each machine says. They wait for each other: all must ask at the same time."""
    if cluster_resolver() is None:
        return value
    return float(reduced_mean(tf.constant(value, tf.float64)))


def wait_for_all_machines() -> None:
    """Return when every machine has come this far."""
    mean_over_machines(0)


@tf.function(autograph=False)
def reduced_mean(value: tf.Tensor) -> tf.Tensor:
    values = strategy().run(lambda x: x, args=(value,))
    return strategy().reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)


def stop_agreed(stops: list[int], step: int) -> bool:
    """Whether to stop after this step; several machines do at the same one."""
    if cluster_resolver() is None:
        return bool(stops)
    return step % AGREE_STEPS == 0 and mean_over_machines(float(bool(stops))) > 0


def numbers_of(values: tf.Tensor) -> list[int]:
    """The numbers of a tensor whose parts lie on this machine's devices."""
    return [int(x) for part in strategy().experimental_local_results(values) for x in part.numpy()]


# --- what they fail with ----------------------------------------------------------------------------------------------


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn what a device or another machine may fail with into BadInput; several machines leave together."""
    try:
        yield
        wait_for_all_machines()
    except tf.errors.NotFoundError as error:
        raise BadInput(f"a file went away meanwhile ({reason(error)}); the same command makes it again.") from None
    except tf.errors.ResourceExhaustedError as error:
        if re.search("No space|quota", error.message):
            raise BadInput(f"the disk is full ({reason(error)}); make room, and the same command goes on.") from None
        raise BadInput(
            f"the device is out of memory ({reason(error)}). Lower --batch-size or --size, or say "
            "--precision mixed_bfloat16 (mixed_float16 on older GPUs) in a new --run. What was saved is kept."
        ) from None
    except tf.errors.OpError as error:
        if damage := re.search(r"assertion failed: \[(.* is damaged: [^\]]*)\]", error.message):
            raise BadInput(f"{damage[1]}.") from None
        if DISK.search(error.message):
            raise BadInput(f"a file cannot be used ({reason(error)}); what was saved is kept.") from None
        if not isinstance(error, LOST_MACHINE) or cluster_resolver() is None:
            raise
        raise BadInput(
            f"another machine is gone ({reason(error)}). Start all of them again with the same "
            "commands: they go on from the last checkpoint."
        ) from None


def reason(error: tf.errors.OpError) -> str:
    """The line of TensorFlow's message that says why."""
    lines = NOISE.sub("", error.message).splitlines()
    return next((line for line in lines if REASONS.search(line)), lines[0])
