"""facegan/quiet.py: what is written meanwhile is held back, and shown when it matters."""

import json
import os
import subprocess
import sys

import pytest

from facegan import quiet


def stderr_of(root, code: str) -> str:
    """What a process of its own leaves on stderr; it writes there as C++ does, past Python's sys.stderr."""
    lines = ["import os, sys", "from facegan.quiet import quiet", code]
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=root, capture_output=True, text=True).stderr


def test_nothing_is_shown_when_all_goes_well_and_later_lines_are(root):
    code = "with quiet():\n    os.write(2, b'noise\\n')\nos.write(2, b'heard\\n'); print('too', file=sys.stderr)"
    assert stderr_of(root, code) == "heard\ntoo\n"


def test_all_is_shown_when_the_import_fails(root):
    code = "with quiet():\n    os.write(2, b'why it fails\\n')\n    import no_such_package"
    assert "why it fails\n" in stderr_of(root, code)


def test_a_processor_without_avx_is_a_sentence(monkeypatch):
    """TensorFlow's wheels would end the process with what quiet() holds back."""
    quiet.check_processor()
    monkeypatch.setattr(quiet.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(quiet.Path, "read_text", lambda path: "flags\t: fpu sse sse2 ssse3")
    with pytest.raises(SystemExit, match="this processor has no AVX"):
        quiet.check_processor()


def test_a_script_that_imports_tensorflow_writes_its_own_lines_alone(run_script, tmp_path):
    outcome = run_script("pix2pix.py", "--train", "--data", "/nowhere", "--run", tmp_path / "run")
    assert outcome.status == 1
    assert outcome.err.startswith("error: no samples in /nowhere")


def test_the_settings_of_keras_of_another_project_change_nothing(root, tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"floatx": "float16", "epsilon": 1e-3, "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    program = "from facegan import devices; import keras; config = keras.config\n"
    program += "print(config.backend(), config.image_data_format(), config.floatx(), config.epsilon())"
    env = {**os.environ, "HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=env, capture_output=True, text=True)
    assert done.stdout == "tensorflow channels_last float32 1e-07\n", done.stderr
