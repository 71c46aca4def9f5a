"""facegan/evaluation/scoreboard.py: scores in words and in JSON. Whole tables: test_evaluate.py."""

import json

import numpy as np

from facegan.evaluation import scoreboard


def test_json_has_null_for_what_is_no_number():
    assert json.loads(scoreboard.as_json({"a": [np.nan, 1.5], "b": {"c": float("inf")}})) == {
        "a": [None, 1.5],
        "b": {"c": None},
    }


def test_a_cell_has_the_value_and_how_sure_it_is():
    assert scoreboard.cell("l1", None) == ""
    assert scoreboard.cell("l1", {"value": 0.25}) == "0.2500"
    assert scoreboard.cell("fid", {"value": 30, "low": 28.04, "high": 33}) == "30.0 [28.0, 33.0]"
    assert scoreboard.cell("kid", {"value": 1.2, "deviation": 0.3}) == "1.2 ± 0.3"
