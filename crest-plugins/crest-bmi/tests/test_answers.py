"""Models whose functions return what BMI does not allow: the error names the function and what it gave."""

import sys

import numpy as np
import pytest
from crest_bmi import BmiComponent

from crest_core import ComponentError, CrestError, TimeError


def settable(model, **options):
    return BmiComponent(model, states=("water",), **options)


@pytest.mark.parametrize(
    ("function", "answer", "kind", "told"),
    [
        ("get_time_step", np.nan, TimeError, r"get_time_step\(\) gave nan, expected a finite number"),
        ("get_time_step", None, ComponentError, r"get_time_step\(\) gave None, expected a number"),
        ("get_time_step", -1.0, TimeError, r"get_time_step\(\) gave -1, expected a number above 0"),
        ("get_time_step", True, ComponentError, r"get_time_step\(\) gave True, expected a number"),
        ("get_end_time", None, ComponentError, r"get_end_time\(\) gave None, expected a number"),
        ("get_end_time", np.nan, TimeError, r"get_end_time\(\) gave nan, expected a time at least one step of 86400"),
        ("get_end_time", 0, TimeError, r"get_end_time\(\) gave 0, expected a time .* after the time 0 of the start"),
        ("get_current_time", np.nan, TimeError, r"get_current_time\(\) gave nan, expected a finite number"),
        ("get_current_time", np.zeros(2), ComponentError, r"get_current_time\(\) gave array.* expected a number"),
        ("get_input_var_names", None, ComponentError, r"get_input_var_names\(\) gave None, expected names; give them"),
        ("get_output_var_names", "flow", ComponentError, r"get_output_var_names\(\) gave 'flow', expected names"),
        ("get_var_nbytes", "x", ComponentError, r"get_var_nbytes\('rain'\) gave 'x', expected a number"),
        ("get_var_nbytes", 0, ComponentError, r"get_var_nbytes\('rain'\) gave 0, expected a whole number not below 1"),
        ("get_var_itemsize", None, ComponentError, r"get_var_itemsize\('rain'\) gave None, expected a number"),
    ],
)
def test_an_answer_of_the_wrong_kind_names_the_function(models, function, answer, kind, told):
    model = models.variant(models.Reservoir, **{function: lambda self, *arguments: answer})
    before = models.Reservoir.finalized
    with pytest.raises(kind, match=f"^BMI model reservoir: {told}"):
        settable(model, timestep="1D")
    assert model.finalized == before + 1


@pytest.mark.parametrize(
    ("function", "answer", "told"),
    [
        ("get_var_grid", None, r"get_var_grid\('rain'\) gave None"),
        ("get_grid_size", 2.5, r"get_grid_size\(1\) gave 2.5, expected a whole number"),
        ("get_grid_rank", "two", r"get_grid_rank\(1\) gave 'two', expected a number"),
        ("get_grid_shape", (1, 2, 3), r"get_grid_shape\(1\) gave \(1, 2, 3\), expected 1 numbers"),
    ],
)
def test_a_grid_of_the_wrong_kind_names_the_function(models, function, answer, told):
    changes = {"get_grid_type": lambda self, grid: "rectilinear", "get_grid_rank": lambda self, grid: 1}
    changes |= {function: lambda self, *arguments: answer}
    with pytest.raises(ComponentError, match=told):
        settable(models.variant(models.Lateral, **changes))


def test_a_shape_that_is_filled_in_and_not_returned_is_read(models):
    def shape(self, grid, room):
        room[:] = 3

    changes = {"get_grid_type": lambda self, grid: "rectilinear", "get_grid_rank": lambda self, grid: 1}
    component = settable(models.variant(models.Lateral, get_grid_shape=shape, **changes))
    assert component.grids["rain"].shape == (3,)


def test_a_clock_that_becomes_nan_is_an_error(models):
    class Lost(models.Reservoir):
        def advance(self):
            super().advance()
            self._now = np.nan

    with pytest.raises(CrestError, match=r"get_current_time\(\) gave nan, expected a finite number"):
        settable(Lost)


@pytest.mark.parametrize("function", ["initialize", "update", "__init__"])
def test_a_model_that_ends_the_process_is_an_error(models, function):
    def end(self, *arguments):
        sys.exit(0)

    with pytest.raises(ComponentError, match="raised SystemExit: 0"):
        settable(models.variant(models.Reservoir, **{function: end}))
