"""A run into a store gives what a run in memory gives: bit for bit with the same windows, else to rounding."""

import numpy as np
import pytest
import torch
from crest_store import IcechunkArchive

from crest_core import Connection, Graph, registry, simulate
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather

ROUNDING = 1e-6  # of the field's maximum, in float32
WEATHER = weather(120, 16, seed=2)
NAMES = {"precipitation": "precipitation_flux", "potential_evaporation": "water_evapotranspiration_flux"}


def loop():
    parts = {"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}
    return Graph(parts, [Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)]), WEATHER


def lstm():
    forcing = WEATHER.rename(NAMES)
    for name in NAMES.values():
        forcing[name].attrs |= {"standard_name": name, "units": "kg m-2 day-1"}
    generator = torch.Generator().manual_seed(4)
    return Graph({"soil": registry().load("components", "soil-lstm")(hidden=8, generator=generator)}), forcing


@pytest.fixture(params=[loop, lstm])
def model(request):
    graph, forcing = request.param()
    return graph, forcing, simulate(graph, forcing, window="30D")


def test_a_stored_run_is_the_run_in_memory_bit_for_bit(model, tmp_path):
    graph, forcing, memory = model
    with IcechunkArchive(tmp_path / "run") as archive:
        stored = simulate(graph, forcing, window="30D", archive=archive).load()
    for name in memory.data_vars:
        assert stored[name].values.tobytes() == memory[name].values.tobytes(), name
    assert stored.attrs["forcing_hash"] == memory.attrs["forcing_hash"]


@pytest.mark.parametrize("window", ["17D", "365D"])
def test_other_windows_change_a_field_by_rounding_at_most(model, tmp_path, window):
    graph, forcing, memory = model
    with IcechunkArchive(tmp_path / "run") as archive:
        stored = simulate(graph, forcing, window=window, archive=archive).load()
    for name in memory.data_vars:
        if memory[name].dtype.kind == "f":
            largest = float(np.abs(memory[name]).max())
            assert float(np.abs(stored[name] - memory[name]).max()) <= ROUNDING * largest, name
    assert stored.attrs["forcing_hash"] == memory.attrs["forcing_hash"]
