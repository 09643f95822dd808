"""Scaling: kept with the weights, and refused where it cannot be."""

import pytest
import torch
from safetensors.torch import save_file
from terrahydro_streamflow import StreamflowHBV, StreamflowLSTM

from crest_core import FieldError

SETTINGS = {"attributes": {"aridity": "1"}}


def test_a_file_of_weights_carries_the_scaling(tmp_path):
    one, two = (StreamflowLSTM(hidden=4, **SETTINGS) for _ in range(2))
    one.standardise({"precipitation_flux": 3.0, "runoff_flux": 1.5}, {"precipitation_flux": 8.0, "runoff_flux": 2.5})
    save_file(one.state_dict(), tmp_path / "weights.safetensors")
    two.load_weights(tmp_path / "weights.safetensors")
    assert [float(value) for value in two.scaling.moments("runoff_flux")] == [1.5, 2.5]
    assert [float(value) for value in two.scaling.moments("precipitation_flux")] == [3.0, 8.0]


def test_lagged_discharge_is_scaled_as_runoff_if_nothing_else_is_said():
    model = StreamflowLSTM(hidden=4, lagged=True, **SETTINGS)
    model.standardise({"runoff_flux": 1.5}, {"runoff_flux": 2.5})
    assert [float(value) for value in model.scaling.moments("runoff_flux_lagged")] == [1.5, 2.5]


def test_hbv_leaves_forcing_and_runoff_in_their_units():
    model = StreamflowHBV(units=1, **SETTINGS)
    model.standardise({"aridity": 1.0, "runoff_flux": 2.0}, {"aridity": 0.5, "runoff_flux": 3.0})
    assert model.scaling({"aridity": torch.tensor(2.0)}) == 2.0


def test_a_spread_of_zero_is_refused():
    with pytest.raises(FieldError, match=r"not positive or not finite: \['aridity'\]"):
        StreamflowHBV(units=1, **SETTINGS).standardise({"aridity": 1.0}, {"aridity": 0.0})


def test_a_field_that_no_model_has_is_refused():
    with pytest.raises(FieldError, match=r"no fields \['rain'\] to scale, expected some of \['air_temperature_max'"):
        StreamflowLSTM(hidden=4, **SETTINGS).standardise({"rain": 1.0}, {"rain": 1.0})
