"""What runs write is CF: the compliance checker finds no errors in it. It needs no network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from compliance_checker.runner import CheckSuite
from crest_run import build_graph, load_run, open_forcing

from crest_core import Connection, FieldSpec, Graph, simulate
from crest_core.component import StepComponent
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather

# The small models give evaporation and runoff as a depth, under CF's names of mass fluxes: that is not CF.
OUTPUTS = ["storage", "streamflow", "warmth", "coldest"]
ROOT = Path(__file__).resolve().parent.parent
HIGH = 3  # the priority of what CF requires; 2 and 1 are recommendations


class Warmth(StepComponent):
    """Temperature at two depths, from potential evaporation; it stands for any model with layers."""

    inputs = (
        FieldSpec(name="potential_evaporation", units="mm day-1", standard_name="water_potential_evaporation_flux"),
    )
    outputs = (
        FieldSpec(name="warmth", units="degC", standard_name="soil_temperature", dims=("soil_layer", "cell")),
        FieldSpec(name="coldest", units="degC", cell_methods="time: minimum"),
    )
    dim_sizes = {"soil_layer": 2}
    layers = {"soil_layer": ((0.0, 0.2), (0.2, 0.6))}

    def step(self, state, inputs, time):
        surface = 3.0 * inputs["potential_evaporation"]
        return {"warmth": torch.stack([surface, 0.5 * surface], dim=-2), "coldest": surface - 2.0}, {}


def errors(dataset, path):
    """Return what the checker says of a dataset, once written, that CF requires."""
    dataset.to_netcdf(path, engine="h5netcdf")
    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    with suite.load_dataset(str(path)) as file:
        ((results, broken),) = suite.run_all(file, ["cf:1.11"]).values()
    assert not broken and len(results) > 10
    failed = [result for result in results if result.weight >= HIGH and result.value[0] < result.value[1]]
    return [f"{result.name}: {message}" for result in failed for message in result.msgs]


def layered(**options):
    lag = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)
    graph = Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir(), "ground": Warmth()}, [lag])
    return simulate(graph, weather(20, 3, seed=1, **options), outputs=OUTPUTS)


def test_the_checker_finds_what_is_wrong(tmp_path):
    results = layered()
    results["storage"].attrs["units"] = "buckets"
    assert any("buckets" in error for error in errors(results, tmp_path / "run.nc"))


@pytest.mark.parametrize("calendar", ["standard", "noleap"])
def test_a_run_with_layers_is_cf(calendar, tmp_path):
    results = layered(calendar=calendar)
    assert "soil_layer_bnds" in results.variables
    assert errors(results, tmp_path / "run.nc") == []


def test_the_example_is_cf(tmp_path):
    run = load_run(ROOT / "examples" / "schwingbach" / "run.yaml")
    results = simulate(build_graph(run), open_forcing(run), start="2014-06-01", end="2014-07-01")
    assert errors(results, tmp_path / "run.nc") == []
