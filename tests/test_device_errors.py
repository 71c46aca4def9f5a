"""facegan/devices.py: what a device or another machine fails with is a sentence."""

import pytest
import tensorflow as tf

from facegan import devices
from facegan.errors import BadInput


def test_a_full_disk_is_not_taken_for_full_memory():
    """TensorFlow says both with the same error."""
    with (
        pytest.raises(
            BadInput, match=r"^the disk is full \(logs/events; No space left on device\); make room"
        ) as sentence,
        devices.errors_as_sentences(),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "logs/events; No space left on device")
    assert "--batch-size" not in str(sentence.value)


def test_a_record_that_went_away_during_training_is_one_sentence():
    message = "Graph execution error:\n\n{{function_node x}} packed/1.bin; No such file or directory\nmore"
    sentence = r"\(packed/1.bin; No such file or directory\); the same command makes it again"
    with pytest.raises(BadInput, match=sentence), devices.errors_as_sentences():
        raise tf.errors.NotFoundError(None, None, message)


def test_out_of_memory_names_the_flags_that_help():
    with pytest.raises(BadInput) as sentence, devices.errors_as_sentences():
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{function_node __x}} OOM when allocating tensor with shape[16,3]\nand much more"
        )
    message = str(sentence.value)
    assert message.startswith("the device is out of memory (OOM when allocating tensor with shape[16,3]).")
    for flag in ("--batch-size", "--size", "--precision mixed_bfloat16"):
        assert flag in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError])
def test_a_lost_machine_is_a_sentence_where_there_are_several_and_an_error_where_there_is_one(kind, monkeypatch):
    with pytest.raises(kind), devices.errors_as_sentences():
        raise kind(None, None, "Connection reset by peer")
    monkeypatch.setattr(devices, "cluster_resolver", lambda: "two machines")
    sentence = r"another machine is gone \(Connection reset by peer\)\. Start all of them"
    with pytest.raises(BadInput, match=sentence), devices.errors_as_sentences():
        raise kind(None, None, "Connection reset by peer")


def test_a_machine_that_is_done_waits_for_the_others(monkeypatch):
    asked = []
    monkeypatch.setattr(devices, "mean_over_machines", asked.append)
    with devices.errors_as_sentences():
        assert asked == []
    assert len(asked) == 1


def test_other_errors_stay_what_they_are():
    for error in (BadInput("one sentence"), ValueError("a bug"), KeyboardInterrupt()):
        with pytest.raises(type(error)), devices.errors_as_sentences():
            raise error
