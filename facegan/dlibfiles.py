"""Where the files of dlib's weights lie. No TensorFlow, no dlib."""

import importlib.util
from pathlib import Path

from facegan.errors import BadInput

LANDMARKS_5 = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_68 = "shape_predictor_68_face_landmarks.dat"
DESCRIPTOR = "dlib_face_recognition_resnet_model_v1.dat"


def model_file(name: str) -> Path:
    """The path of one of these files. Raises BadInput without the package that brings them."""
    # Looked up, not imported: importing the package needs pkg_resources, which new setuptools no longer brings.
    package = importlib.util.find_spec("face_recognition_models")
    if package is None:
        raise BadInput("dlib's weights are missing: run `pip install -r requirements.txt` (face_recognition_models).")
    return Path(package.submodule_search_locations[0]) / "models" / name
