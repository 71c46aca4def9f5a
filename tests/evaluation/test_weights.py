"""facegan/evaluation/weights.py: where weights are looked for."""

import importlib

from facegan.evaluation import weights


def test_weights_are_found_in_the_documented_order(tmp_path, monkeypatch):
    package = tmp_path / "site" / "weights_package"
    places = {
        "hub": tmp_path / "torch" / "hub" / "checkpoints",
        "package": package / "inner",
        "environment": tmp_path / "environment",
        "flag": tmp_path / "flag",
    }
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv(weights.ENVIRONMENT, str(places["environment"]))
    wanted = weights.Weights("w.pt", "weights-package", "weights_package", "inner")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('imported')")
    importlib.invalidate_caches()
    assert weights.find(wanted, places["flag"]) is None
    for place in places.values():
        place.mkdir(parents=True)
        (place / "w.pt").write_bytes(b"")
        assert weights.find(wanted, places["flag"]) == place / "w.pt"
    assert weights.find(wanted, None) == places["environment"] / "w.pt"
