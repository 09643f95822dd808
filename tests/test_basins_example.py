"""Snow -> streamflow in one graph: water, gradients and freezing; the files and the experiment of examples/basins."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import packages
import pytest
import torch
import yaml
from crest_run import build_graph, load_run
from crest_training import run_training, train
from crest_training.train_file import load_train_file
from safetensors.torch import load_file

from crest_core import CrestError, Graph, Sizes

FOLDER = packages.ROOT / "examples" / "basins"
NAMES = ("basin_models", "made_up_basins", "basin_sets", "basin_stages", "flood", "compare")
ATTRIBUTES = {"elev_mean": "m", "frac_forest": "1"}
STATES = ("snow.snow_ice", "snow.snow_liquid", "streamflow.soil_water", "streamflow.upper_water",
          "streamflow.lower_water", "streamflow.routed_water")  # fmt: skip


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The modules of the example, by name; they are forgotten afterwards."""
    before, threads = set(sys.modules), torch.get_num_threads()
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in NAMES}
    sys.path.remove(str(FOLDER))
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.fixture
def graph(modules) -> Graph:
    """A small coupled graph in float64, untrained."""
    models = modules["basin_models"]
    kinds = models.Kinds(bands=2, units=2, attributes=ATTRIBUTES)
    snow, streamflow = models.snow_model(kinds, 1), models.streamflow_model(kinds, 1, external_snow=True)
    return models.coupled(snow, streamflow).double()


@pytest.fixture
def inputs(modules):
    """Two winters of made-up weather at two basins, float64."""
    data = modules["made_up_basins"].made_up(2, 1, seed=3, attributes=tuple(ATTRIBUTES))
    return {str(name): torch.from_numpy(one.values).double() for name, one in data.data_vars.items()}


def run(model, inputs):
    """Return outputs and states of a run from the initial state, and that state."""
    days, cells = inputs["precipitation_flux"].shape
    state = model.initial_state(Sizes({"cell": cells}, dtype=torch.float64))
    return *model(state, {spec.name: inputs[spec.name] for spec in model.inputs}, range(days)), state


def test_water_closes_over_the_coupled_graph(graph, inputs):
    """What falls, with the correction of snowfall, runs off, evaporates or is stored in one of the two models."""
    with torch.no_grad():
        outputs, after, before = run(graph, inputs)
    fallen = (inputs["precipitation_flux"] + outputs["snowfall_correction"]).sum(0)
    gone = (outputs["runoff_flux"] + outputs["evapotranspiration"]).sum(0)
    stored = sum((after[name] - before[name]).sum(0) for name in STATES)
    assert float(outputs["surface_snow_amount"].max()) > 50.0 and float(outputs["runoff_flux"].sum()) > 100.0
    torch.testing.assert_close(fallen, gone + stored, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", ["degree_day_factor", "snowfall_factor", "snow_threshold"])
def test_the_gradient_of_a_discharge_loss_reaches_the_parameters_of_snow(graph, inputs, name):
    """Against central differences in float64, whose error is about 1e-7 here; a kink of a store may lie between."""
    raw = graph.components["snow"].places.physical.raw[name]

    def loss():
        return (run(graph, inputs)[0]["runoff_flux"] - inputs["runoff_flux"]).square().mean()

    (exact,) = torch.autograd.grad(loss(), raw)
    with torch.no_grad():
        step, values = 1e-5, []
        for sign in (1.0, -1.0):
            raw += sign * step
            values.append(float(loss()))
            raw -= sign * step
    assert float(exact) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)
    assert abs(float(exact)) > 1e-4


def test_coupled_with_a_frozen_snow_is_the_chain_of_both(graph, inputs):
    snow, streamflow = graph.components["snow"], graph.components["streamflow"]
    for parameter in snow.parameters():
        parameter.requires_grad_(False)
    coupled = run(graph, inputs)[0]
    water = run(snow, inputs)[0]
    chain = run(streamflow, {**inputs, "liquid_water_flux": water["liquid_water_flux"]})[0]
    for name in ("runoff_flux", "evapotranspiration"):
        torch.testing.assert_close(coupled[name], chain[name], rtol=1e-6, atol=1e-6)
    coupled["runoff_flux"].sum().backward()
    own = [parameter.grad.clone() for parameter in streamflow.parameters()]
    streamflow.zero_grad()
    chain["runoff_flux"].sum().backward()
    for ours, theirs in zip(own, streamflow.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-6, atol=1e-6)


def test_training_changes_what_is_not_frozen_and_the_fine_tuning_changes_both(modules):
    models, sets, stages = (modules[name] for name in ("basin_models", "basin_sets", "basin_stages"))
    basins = sets.invented(2)
    kinds = models.Kinds(bands=1, units=1, attributes=ATTRIBUTES)
    snow, streamflow = models.snow_model(kinds, 1), models.streamflow_model(kinds, 1, external_snow=True)
    graph = models.coupled(snow, streamflow)
    for frozen, changed in ((["snow"], [False, True]), ([], [True, True])):
        before = [[value.detach().clone() for value in one.parameters()] for one in (snow, streamflow)]
        samples = stages.TrainingSamples(
            basins.data[[spec.name for spec in graph.inputs]], basins.data[list(sets.TARGETS)], steps=60, spin_up=90,
            every=200,
        )  # fmt: skip
        loader = samples.loader(basins.train, batch=4, generator=torch.Generator().manual_seed(1))
        train(graph, loader, stages.objectives(basins, sets.TARGETS, 1.0), epochs=1, frozen=frozen, progress=False)
        after = [one.parameters() for one in (snow, streamflow)]
        moved = [
            any(not torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in zip(before, after, strict=True)
        ]
        assert moved == changed


@pytest.mark.parametrize("name", ["run.yaml", "run-lstm.yaml"])
def test_run_files_build_and_hand_the_water_of_snow_over(name):
    graph = build_graph(load_run(FOLDER / name))
    links = {(str(link.source), str(link.target)) for link in graph.links}
    assert any(
        "snow" in source and "liquid_water_flux" in source and "streamflow" in target for source, target in links
    )
    assert "liquid_water_flux" not in {spec.name for spec in graph.inputs}


def test_training_files_go_on_from_one_another(modules, tmp_path):
    """On made-up basins in the place of CAMELS-US, an epoch each."""
    data = modules["made_up_basins"].made_up(2, 2, seed=3).rename(surface_snow_amount="snow_water_equivalent")
    data.to_netcdf(tmp_path / "basins.nc", engine="h5netcdf")
    small = {"forcing": {"path": "basins.nc"}, "samples": {"steps": 30, "spin_up": 60, "every": 200, "batch": 4}}
    small |= {"training": {"start": "2001-01-01", "end": "2002-07-01"}, "epochs": 1}
    models = {}
    for name in ("snow", "coupled", "joint"):
        keys = yaml.safe_load((FOLDER / f"train-{name}.yaml").read_text(encoding="utf-8")) | small
        (tmp_path / f"train-{name}.yaml").write_text(json.dumps(keys, default=str), encoding="utf-8")
        (trained,) = run_training(load_train_file(tmp_path / f"train-{name}.yaml"), progress=False)
        models[name] = trained.model.components
    left = load_file(tmp_path / "output" / "snow" / "seed-1" / "snow" / "weights.safetensors")
    for key, value in models["coupled"]["snow"].state_dict().items():
        assert torch.equal(value, left[key])
    moved = models["joint"]["snow"].state_dict()
    assert any(not torch.equal(value, moved[key]) for key, value in left.items())


def test_the_training_file_of_streamflow_alone_builds():
    file = load_train_file(FOLDER / "train-alone.yaml")
    assert (
        file.graph == {"components": {"streamflow": {"use": "streamflow-hbv"}}} and file.training.start == "1999-10-01"
    )


def test_the_flood_is_chosen_by_observations_of_the_scored_years(modules):
    """A known answer: a fall of SWE and a high discharge put on one day; higher ones without snow do not count."""
    basins, flood = modules["basin_sets"].invented(3), modules["flood"]
    data = basins.data.copy(deep=True)
    for name, low in (("surface_snow_amount", 0.0), ("runoff_flux", 1.0), ("precipitation_flux", 1.0)):
        data[name][:] = low
    days = data["time"].values
    day = int(np.flatnonzero(days == np.datetime64("2002-02-10"))[0])
    data["surface_snow_amount"][day - 50 : day, 1] = 80.0
    data["runoff_flux"][day, 1] = 9.0
    data["runoff_flux"][day + 100, 2] = 50.0  # without snow
    data["surface_snow_amount"][day + 190 : day + 200, 0] = 80.0
    data["runoff_flux"][day + 200, 0] = 8.0  # with snow, and lower
    data["runoff_flux"][days >= np.datetime64("2004-01-01"), 1] = 3.0  # years of training: the yearly flood
    found = flood.choose(modules["compare"].replace(basins, data=data))
    assert (found.cell, str(found.day.date()), found.kind) == (1, "2002-02-10", "snowmelt")
    assert found.discharge == 9.0
    assert found.height == pytest.approx(9.0 / (3.0 - 2.0 / 3.0), rel=0.3) and found.loss == pytest.approx(80.0)
    data["precipitation_flux"][day, 1] = 30.0
    assert flood.choose(modules["compare"].replace(basins, data=data)).kind == "rain on snow"


def test_a_flood_without_snow_is_told(modules):
    basins, flood = modules["basin_sets"].invented(1), modules["flood"]
    data = basins.data.assign(surface_snow_amount=0.0 * basins.data["surface_snow_amount"])
    with pytest.raises(CrestError, match="no day of .* lost 30.0 mm of snow in 5 days; take more basins"):
        flood.choose(modules["compare"].replace(basins, data=data))


@pytest.mark.slow
@pytest.mark.parametrize("streamflow", ["hbv", "lstm"])
def test_the_experiment_runs_goes_on_where_it_was_stopped_and_draws(modules, tmp_path, streamflow):
    compare = modules["compare"]
    given = compare.arguments(["--quick", "--seed", "1", "2", "--streamflow", streamflow, "--threads", "1",
                               "--folder", str(tmp_path)])  # fmt: skip
    (first, *_), (again, *_) = (compare.experiment(given) for _ in range(2))
    assert [one.by_seed for one in first.scores] == [one.by_seed for one in again.scores]
    place = tmp_path / f"degree-day+{streamflow}.quick"
    assert (place / "flood.png").stat().st_size > 20_000
    table = (place / "table.md").read_text(encoding="utf-8")
    assert all(f"| {arm} | " in table for arm in (*compare.ARMS, *compare.BASELINES)) and "±" in table
    assert json.loads((place / "scores.json").read_text(encoding="utf-8"))["flood"] == first.flood
