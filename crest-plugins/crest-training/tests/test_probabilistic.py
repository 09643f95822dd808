"""Distributions, ensembles and dropout, from the model over observations with gaps to the scores and the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from crest_training import (
    Observation,
    compare,
    crps,
    mc_dropout,
    score,
    score_members,
    score_mixture,
    simulate_dropout,
    write_report,
)
from crest_training.example import Network, Reservoir, RiverBatch

from crest_core import ComponentError, FieldSpec, ForcingError, StepComponent, simulate

START, END = "2001-06-01", "2003-01-01"
PART = FieldSpec(name="flow_weight", units="1", dims=("mixture", "cell"))


class Said(StepComponent):
    """Flow is rain, with an error of two normals: it says so in its outputs, or says too little spread."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (
        FieldSpec(name="flow", units="mm day-1"),
        replace(PART, name="flow_location", units="mm day-1"),
        replace(PART, name="flow_scale", units="mm day-1"),
        PART,
    )

    def __init__(self, spread: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.spread, self.bias = spread, bias
        self.dim_sizes = {"mixture": 2}

    def initial_state(self, sizes):
        return {}

    def step(self, state, inputs, time):
        rain = inputs["rain"] + self.bias
        location = torch.stack([rain - 1.0, rain + 4.0], dim=-2)
        weight = torch.stack([0.8 * torch.ones_like(rain), 0.2 * torch.ones_like(rain)], dim=-2)
        scale = self.spread * torch.stack([torch.full_like(rain, 0.5), torch.full_like(rain, 2.0)], dim=-2)
        return {"flow": rain, "flow_location": location, "flow_scale": scale, "flow_weight": weight}, {}


def weather() -> xr.Dataset:
    times = xr.date_range("2001-01-01", "2002-12-31", freq="1D")
    values = np.random.default_rng(3).exponential(5.0, (len(times), 3)).astype(np.float32)
    places = {"time": times, "cell_id": ("cell", ["a", "b", "c"])}
    return xr.DataArray(values, places, ("time", "cell")).assign_attrs(units="mm day-1").to_dataset(name="rain")


def observation(forcing: xr.Dataset) -> Observation:
    """Rain with the error that `Said` tells, with gaps in all places: single days, weeks, and one place of no value."""
    draw = np.random.default_rng(4)
    wide = draw.random(forcing["rain"].shape) < 0.2
    error = np.where(wide, draw.normal(4.0, 2.0, wide.shape), draw.normal(-1.0, 0.5, wide.shape))
    flow = (forcing["rain"] + error).assign_attrs(units="mm day-1").rename("flow")
    flow[::7, 0], flow[300:340, 1], flow[:, 2] = np.nan, np.nan, np.nan
    return Observation("flow", flow)


@pytest.fixture(scope="module")
def forcing():
    return weather()


def compared(model, forcing, **more):
    return compare(model, forcing, observation(forcing), start=START, end=END, **more)


def test_a_true_distribution_is_reliable_over_gaps_and_a_narrow_one_is_not(forcing):
    true, narrow = (score_mixture(compared(Said(spread), forcing, mixture="flow")) for spread in (1.0, 0.1))
    assert (true["pit_reliability"].values[:2] > 0.95).all() and (narrow["pit_reliability"].values[:2] < 0.9).all()
    assert (true["crps"].values[:2] < narrow["crps"].values[:2]).all()
    assert np.isnan(true["crps"].values[2]) and np.isnan(true["pit_reliability"].values[2])


def test_the_crps_of_a_mixture_is_that_of_many_draws_from_it(forcing):
    found = compared(Said(), forcing, mixture="flow")
    draw = np.random.default_rng(5)
    shape = (found.observed.sizes["time"], 400, 3)
    wide = draw.random(shape) < 0.2
    error = np.where(wide, draw.normal(4.0, 2.0, shape), draw.normal(-1.0, 0.5, shape))
    members = found.simulated["model"].values[:, np.newaxis] + error
    known = crps(members, found.observed.values)
    np.testing.assert_allclose(score_mixture(found)["crps"].values[:2], known[:2], rtol=0.01)


def test_a_distribution_in_other_units_has_the_score_in_those(forcing):
    one = score_mixture(compared(Said(), forcing, mixture="flow"))
    other = score_mixture(compared(Said(), forcing, mixture="flow", units="kg m-2 s-1"))
    np.testing.assert_allclose(other["crps"] * 86400.0, one["crps"], rtol=1e-5)
    np.testing.assert_allclose(other["pit_reliability"], one["pit_reliability"], rtol=1e-5)
    assert other["crps"].attrs["units"] == "kg m-2 s-1"


def test_the_distributions_of_an_ensemble_count_alike(forcing):
    """Two equal members say what one says; members that differ say all of their parts."""
    one, twice = (score_mixture(compared(models, forcing, mixture="flow")) for models in (Said(), [Said(), Said()]))
    np.testing.assert_allclose(one["crps"], twice["crps"], rtol=1e-12)
    mixed = compared([Said(bias=-3.0), Said(bias=3.0)], forcing, mixture="flow")
    assert mixed.mixture is not None and mixed.mixture.parts["weight"].shape[1] == 4 and mixed.members is not None
    np.testing.assert_allclose(mixed.mixture.parts["weight"].sum(axis=1), 1.0, rtol=1e-6)


def test_gaps_leave_no_trace_in_scores_of_ensembles(forcing):
    """The scores of a place with gaps are those of the days that were observed."""
    found = compared([Reservoir(rate) for rate in (0.2, 0.4, 0.7)], forcing)
    assert found.members is not None
    there = found.observed.values[:, 0] == found.observed.values[:, 0]
    whole = score_members(replace(found, observed=found.observed[there], members=found.members[there]))
    scores = score_members(found)
    for name in ("crps", "rank_deviation"):
        assert float(scores[name][0]) == pytest.approx(float(whole[name][0])) and np.isnan(scores[name][2])


def test_dropout_runs_are_members_whose_mean_and_spread_are_those_of_a_batch(forcing):
    model = Network(dropout=0.3, seed=1).eval()
    few = forcing.isel(time=slice(0, 40))
    runs = simulate_dropout(model, few, runs=60, seed=2)["flow"]
    batch = RiverBatch({"rain": torch.from_numpy(few["rain"].values)}, {}, torch.arange(3))
    known = mc_dropout(model, batch, runs=60, seed=3)
    mean, std = (values["flow"][..., 0].numpy() for values in (known.mean, known.std))
    assert runs.dims == ("member", "time", "cell") and not model.dropout.training
    assert np.abs(runs.mean("member") - mean).max() < 5 * float(std.max()) * (2 / 60) ** 0.5
    assert float(runs.std("member").mean()) == pytest.approx(float(std.mean()), rel=0.1)
    np.testing.assert_array_equal(runs[:2], simulate_dropout(model, few, runs=2, seed=2)["flow"])
    plain = simulate(model, few, progress=False)["flow"]
    assert (simulate(model, few, progress=False)["flow"] == plain).all()


def test_dropout_goes_to_scores_and_the_report(forcing, tmp_path):
    runs = simulate_dropout(Network(dropout=0.3, seed=1), forcing, runs=5, seed=2)
    found = compare(runs, None, observation(forcing), start=START, end=END)
    page = write_report(tmp_path, found, score(found, ("nse",)))
    told = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["uncertainty"]
    assert told["ensemble of 5 members"]["crps"] == pytest.approx(float(score_members(found)["crps"].median()))
    assert "ensemble of 5 members, medians over places: crps" in page.read_text(encoding="utf-8")


def test_a_mixture_goes_to_the_report(forcing, tmp_path):
    found = compared(Said(), forcing, mixture="flow")
    page = write_report(tmp_path, found, score(found, ("nse", "rmse")))
    told = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["uncertainty"]["distribution of 2 parts"]
    assert told["crps"] > 0.0 and told["pit_reliability"] > 0.95
    assert "distribution of 2 parts, medians over places: crps" in page.read_text(encoding="utf-8")
    assert (tmp_path / "pit.png").stat().st_size > 5000 and not (tmp_path / "ranks.png").exists()


def test_what_has_no_distribution_is_told(forcing):
    with pytest.raises(ForcingError, match="no output flow_location, flow_scale, flow_weight of a mixture 'flow'"):
        compared(Reservoir(0.2), forcing, mixture="flow")
    with pytest.raises(ForcingError, match="there is no mixture; give `compare` the prefix of a head as mixture="):
        score_mixture(compared(Reservoir(0.2), forcing))
    with pytest.raises(ComponentError, match="simulate_dropout: 1 runs, expected 2 or more"):
        simulate_dropout(Network(dropout=0.3, seed=1), forcing, runs=1, seed=1)
    flat = simulate(Said(), forcing, start=START, progress=False)
    flat["flow_scale"] = flat["flow_scale"].isel(mixture=0)
    with pytest.raises(ForcingError, match="flow_scale has the dims .*; expected one more than time and places"):
        compared(flat, forcing, mixture="flow")
