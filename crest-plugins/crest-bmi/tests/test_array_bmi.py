"""What the author of a model on arrays writes, and what is there."""

import math
import re
from pathlib import Path

import crest_bmi
import numpy as np
import pytest
from bmipy import Bmi
from crest_bmi import ArrayBmi, ArrayVariable, as_bmi

from crest_core import ComponentError, FieldError, TimeError
from crest_core.testing import TorchBucket

OWN = {"get_component_name", "initialize"}
PACKAGE = Path(crest_bmi.__file__).parent


def test_the_author_writes_two_functions_of_the_interface_and_the_step():
    functions = {name for name in dir(Bmi) if not name.startswith("_")}
    written = {name for name in functions if getattr(ArrayBmi, name) is not getattr(Bmi, name)}
    assert functions - written == OWN
    assert ArrayBmi.__abstractmethods__ == {*OWN, "advance"}
    text = (PACKAGE / "array_bmi.py").read_text(encoding="utf-8")
    assert re.findall(r"(\d+) of the (\d+) functions", text) == [(str(len(written)), str(len(functions)))]


def test_variables_are_public_and_settable_unless_told():
    assert {"ArrayBmi", "ArrayVariable"} <= set(dir(crest_bmi))
    assert ArrayVariable([1.0], "mm") == ([1.0], "mm", 0, True)


def begun(models, **changes):
    model = models.variant(models.Lateral, **changes)()
    model.initialize("")
    return model


def test_nothing_runs_before_initialize_or_after_finalize():
    kind = as_bmi(TorchBucket(), forcing={"precipitation": 3.0, "evapotranspiration": 1.0})
    model = kind()
    assert model.get_component_name() == "CREST graph"
    for end in (False, True):
        if end:
            model.initialize()
            model.update()
            model.finalize()
        with pytest.raises(ComponentError, match=r"GraphBmi: update\(\) before initialize\(\) or after finalize\(\)"):
            model.update()
        with pytest.raises(ComponentError, match=r"GraphBmi: update_until\(\) before initialize"):
            model.update_until(86400.0)
    model.initialize()
    model.update()


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, None, "1"])
def test_a_time_that_is_not_finite_is_an_error(models, time):
    with pytest.raises(TimeError, match=r"update_until\(.*\): expected a time in seconds that is finite"):
        begun(models).update_until(time)


def test_indices_outside_the_variable_are_errors_and_change_nothing(models):
    model = begun(models)
    for inds, told in (([5], r"\[5\]"), ([-1, 0], r"\[-1\]")):
        with pytest.raises(
            FieldError, match=rf"set_value_at_indices\('rain'\): expected indices from 0 to 2, got {told}"
        ):
            model.set_value_at_indices("rain", inds, np.ones(len(inds)))
        with pytest.raises(
            FieldError, match=rf"get_value_at_indices\('rain'\): expected indices from 0 to 2, got {told}"
        ):
            model.get_value_at_indices("rain", np.empty(len(inds)), inds)
    for inds in ([0.5], [True], [[0], [1, 2]]):
        with pytest.raises(FieldError, match=r"expected whole numbers as indices, got \["):
            model.set_value_at_indices("rain", inds, np.ones(1))
    with pytest.raises(FieldError, match=r"set_value_at_indices\('rain'\): expected 3 numbers, got 2"):
        model.set_value_at_indices("rain", [0, 1, 2], np.ones(2))
    assert model.get_value_ptr("rain").tolist() == [0.0, 0.0, 0.0]
    model.set_value_at_indices("rain", np.array([2, 0]), np.array([5.0, 7.0]))
    assert model.get_value("rain", np.empty(3)).tolist() == [7.0, 0.0, 5.0]


def test_a_buffer_that_cannot_hold_the_variable_is_an_error(models):
    model, fixed = begun(models), np.zeros(3)
    fixed.flags.writeable = False
    for dest, told in ((np.zeros(5), "5 of type float64"), ([0.0] * 3, r"\[0.0, "), (fixed, "read-only 3 of type")):
        with pytest.raises(FieldError, match=rf"get_value\('rain'\): expected a writeable array of 3 float64 .*{told}"):
            model.get_value("rain", dest)
    with pytest.raises(FieldError, match=r"expected a dest of type float64, got int64, which cannot hold it"):
        model.get_value("rain", np.zeros(3, "i8"))
    assert model.get_value("water", np.zeros((3, 1), "f4")).tolist() == [[10.0], [10.0], [10.0]]


@pytest.mark.parametrize("src", [np.array([1j, 1j, 1j]), [None] * 3, "abc", [[1.0], [2.0, 3.0]]])
def test_values_that_are_no_real_numbers_are_errors_and_change_nothing(models, src):
    model = begun(models)
    with pytest.raises(FieldError, match=r"set_value\('rain'\): expected numbers that fit float64, got "):
        model.set_value("rain", src)
    assert model.get_value_ptr("rain").tolist() == [0.0, 0.0, 0.0]
