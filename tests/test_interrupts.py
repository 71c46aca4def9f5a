"""Ctrl-C, a reader that leaves, a disk that refuses: a script ends with one line, and never shows where it was."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from facegan import cli
from facegan.errors import BadInput, printable


def hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where pytest runs behind an "&"


def started(root, *command, **options) -> subprocess.Popen:
    """Python in a process of its own, with a script of the repository or -c and a program."""
    first = command[0] if command[0] == "-c" else root / command[0]
    options = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c) | options
    return subprocess.Popen([sys.executable, *map(str, (first, *command[1:]))], cwd=root, **options)


def interrupted(process: subprocess.Popen, moments) -> tuple[int, list[str]]:
    """Send Ctrl-C after each of these seconds; how the process ended, and the lines on its stderr."""
    for seconds in moments:
        time.sleep(seconds)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, [line for line in err.splitlines() if line.strip()]


SLOW = "import time; print('begun', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("pix2pix.py", "tensorflow"),
        ("g_simple_mask.py", "cv2"),
        ("c_mask.py", "numpy"),
        ("data/make_sample.py", "cv2"),
        ("face_recognition/face_recognition.py", "dlib"),
    ],
)
def test_ctrl_c_while_importing_is_one_line(script, package, root, tmp_path):
    (tmp_path / f"{package}.py").write_text(SLOW)
    process = started(root, script, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert process.stdout.readline() == "begun\n"
    assert interrupted(process, [0, 0, 0]) == (130, ["stopped."])


WORKS = """
import sys, time
sys.argv[0] = {script!r}
sys.path.insert(0, {root!r})
import facegan
from facegan import cli
class Slow:
    def __del__(self):
        time.sleep(0.2)
def main():
    slow = Slow()
    print("begun", flush=True)
    try:
        time.sleep(60)
    finally:
        time.sleep(0.4)
cli.run(main)
"""


@pytest.mark.parametrize("moments", [[0], [0, 0.1], [0, 0.1, 0.1], [0, 0.001, 0.001], [0] * 20], ids=str)
def test_ctrl_c_again_and_again_is_one_line(moments, root):
    program = WORKS.format(script=str(root / "pix2pix.py"), root=str(root))
    process = started(root, "-c", program)
    assert process.stdout.readline() == "begun\n"
    status, lines = interrupted(process, moments)
    assert status == 130
    assert len(lines) == 1
    assert lines[0].startswith("stopped")


def test_ctrl_c_is_left_alone_where_it_is_ignored(root):
    """As nohup does for what goes on without a terminal."""
    process = started(root, "c_mask.py", "--help", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    status, lines = interrupted(process, [0.3])
    assert (status, lines) == (0, [])


def test_a_reader_that_leaves_ends_a_script_quietly(root):
    process = started(root, "c_mask.py", "--help")
    process.stdout.close()
    err = process.stderr.read()
    assert (process.wait(), err) == (cli.NOBODY_READS, "")


def test_what_a_script_prints_need_not_be_utf_8(root, tmp_path):
    program = WORKS.format(script=str(root / "pix2pix.py"), root=str(root)).split("class Slow")[0]
    program += "cli.run(lambda: print('run/\\udcff: done'))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env={**os.environ, "PYTHONUTF8": "1"}, check=True
    )
    assert done.stdout == b"run/\\udcff: done\n"


# --- what the system refuses ------------------------------------------------------------------------------------------


def end(error: BaseException) -> str | int:
    def main():
        raise error

    with pytest.raises(SystemExit) as stop:
        cli.run(main)
    return stop.value.code


@pytest.mark.parametrize("number", sorted(set(errno.errorcode) - {errno.EPIPE, errno.ESHUTDOWN}))
def test_whatever_the_system_refuses_is_a_sentence_with_the_files_name(number):
    sentence = end(OSError(number, os.strerror(number), "runs/a\udcff\n"))
    assert sentence.startswith("error: cannot ")
    assert "runs/a\\udcff\\n" in sentence
    assert os.strerror(number) in sentence
    assert len(sentence.splitlines()) == 1


def test_a_name_in_bytes_and_an_error_without_a_name_are_sentences_too():
    assert "runs/\\udcff." in end(OSError(errno.EISDIR, "Is a directory", b"runs/\xff"))
    assert end(TimeoutError()).startswith("error: cannot use a file: TimeoutError.")


def test_a_sentence_is_one_line_of_letters():
    assert str(BadInput("no folder a\nb\udcff\x1b[0m")) == "no folder a\\nb\\udcff\\x1b[0m"
    assert printable("Zoë's 3rd — ok") == "Zoë's 3rd — ok"
