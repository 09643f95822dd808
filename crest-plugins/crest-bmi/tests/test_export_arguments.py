"""Arguments of as_bmi that are of another kind: errors when the class is made, or begun."""

import pytest
import torch
from crest_bmi import as_bmi

from crest_core import ComponentError, FieldError, GridError
from crest_core.testing import TorchBucket

FORCING = {"precipitation": 3.0, "evapotranspiration": 1.0}


def bucket(**options):
    return as_bmi(TorchBucket(), **{"forcing": FORCING} | options)


@pytest.mark.parametrize("grid", [0, -1, True, 2.0, "points", [3]])
def test_a_grid_that_is_none_is_an_error_when_the_class_is_made(grid):
    with pytest.raises(GridError, match=r"as_bmi: grid=.*: expected a number of cells of 1 or more, or a grid"):
        bucket(grid=grid)


def test_arguments_of_another_kind_are_errors_when_the_class_is_made():
    for dtype in (torch.int32, torch.float16, "float64"):
        with pytest.raises(FieldError, match=r"as_bmi: dtype=.*: expected torch.float32 or torch.float64"):
            bucket(dtype=dtype)
    with pytest.raises(ComponentError, match=r"as_bmi: expected a component or graph, got a Linear; a torch module"):
        as_bmi(torch.nn.Linear(1, 1))


@pytest.mark.parametrize("value", [True, None, "wet", 1j, [1.0, [2.0]]])
def test_forcing_that_is_no_number_is_an_error(value):
    with pytest.raises(FieldError, match=r"forcing precipitation: expected one number or 1, got "):
        bucket(forcing={"precipitation": value})().initialize()
