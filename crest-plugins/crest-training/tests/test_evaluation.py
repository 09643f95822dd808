"""Evaluation: what a model gains over baselines is measured on times that none of them has seen."""

from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from crest_training import Observation, nse
from crest_training.comparison import compare
from crest_training.evaluation import evaluate, score

from crest_core import FieldSpec, ForcingError, StepComponent, simulate

TRAINING, START, END = ("2001-01-01", "2004-01-01"), "2004-01-01", "2005-01-01"


class Reservoir(StepComponent):
    """Outflow of a linear reservoir."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (FieldSpec(name="outflow", units="mm day-1"),)
    states = (FieldSpec(name="storage", units="mm", cell_methods="time: point"),)

    def __init__(self, rate: float = 0.2) -> None:
        super().__init__()
        self.rate = rate

    def initial_state(self, sizes):
        return {"storage": sizes.zeros(self.states[0])}

    def step(self, state, inputs, time):
        storage = state["storage"] + inputs["rain"]
        return {"outflow": self.rate * storage}, {"storage": (1.0 - self.rate) * storage}


def weather() -> xr.Dataset:
    times = xr.date_range("2001-01-01", "2004-12-31", freq="1D")
    season = 2.0 + np.cos(2 * np.pi * times.day_of_year.values / 365.25)[:, np.newaxis]
    values = 10 * season * (np.random.default_rng(3).random((len(times), 3)) - 0.7).clip(0)
    places = {"cell_id": ("cell", ["a", "b", "c"]), "lat": ("cell", [1.0, 2.0, 3.0], {"units": "degrees_north"})}
    field = xr.DataArray(values, dims=("time", "cell"), coords={"time": times, **places})
    return field.assign_attrs(units="mm day-1").to_dataset(name="rain")


def observed(forcing: xr.Dataset) -> xr.DataArray:
    """What a reservoir of rate 0.25 gives, with a gap."""
    data = simulate(Reservoir(0.25), forcing, progress=False)["outflow"].astype(np.float64)
    data[1200:1210, 1] = np.nan
    return data


@pytest.fixture(scope="module")
def forcing():
    return weather()


@pytest.fixture(scope="module")
def observation(forcing):
    return Observation("outflow", observed(forcing))


def test_the_scores_of_a_model_stand_beside_those_of_baselines_and_open_again(forcing, observation, tmp_path):
    found = evaluate(Reservoir(), forcing, observation, start=START, end=END, spin_up="365D", training=TRAINING)
    assert found["source"].values.tolist() == ["model", "climatology", "persistence"]
    assert (found["nse"].sel(source="model") > 0.9).all() and (found["nse"].sel(source="climatology") < 0.6).all()
    assert found["cell_id"].values.tolist() == ["a", "b", "c"] and found["observations"].values.tolist() == [
        366,
        356,
        366,
    ]
    assert found["fhv"].attrs["units"] == "percent" and found["rmse"].attrs["units"] == "mm day-1"
    assert "Nash-Sutcliffe" in found["nse"].attrs["long_name"]
    found.to_netcdf(tmp_path / "scores.nc")
    with xr.open_dataset(tmp_path / "scores.nc") as again:
        xr.testing.assert_equal(again, found)


def test_the_score_is_that_of_a_run_with_spin_up(forcing, observation):
    found = evaluate(Reservoir(), forcing, observation, start=START, end=END, spin_up="100D", metrics=("nse",))
    run = simulate(Reservoir(), forcing, start="2003-09-23", end=END, progress=False)["outflow"].sel(
        time=slice(START, None)
    )
    known = observation.data.sel(time=slice(START, None))
    np.testing.assert_array_equal(found["nse"].sel(source="model"), nse(run.values, known.values))


def test_no_spin_up_may_be_said_as_text_or_as_a_time(forcing, observation):
    """A training file without spin-up makes it 0 times a day."""
    text, time = (
        compare(Reservoir(), forcing, observation, start=START, end=END, spin_up=zero).simulated["model"]
        for zero in ("0D", timedelta(0))
    )
    np.testing.assert_array_equal(text, time)


def test_a_model_without_error_has_nse_1_in_any_units(forcing, observation):
    model = Reservoir(0.25)
    data = (observation.data / 86400.0).assign_attrs(units="kg m-2 s-1")
    found = evaluate(model, forcing, Observation("outflow", data), start=START, end=END, spin_up="1095D")
    np.testing.assert_allclose(found["nse"].sel(source="model"), 1.0, atol=1e-6)
    other = compare(model, forcing, observation, start=START, end=END, units="kg m-2 s-1")
    assert other.units == "kg m-2 s-1"
    assert float(other.simulated["model"].max()) == pytest.approx(float(other.observed.max()), rel=1e-3)


def test_the_climatology_knows_nothing_of_the_evaluated_period(forcing, observation):
    changed = observation.data.copy()
    changed.loc[{"time": slice(START, None)}] = 99.0
    both = [
        compare(Reservoir(), forcing, Observation("outflow", data), start=START, end=END, training=TRAINING)
        for data in (observation.data, changed)
    ]
    np.testing.assert_array_equal(both[0].simulated["climatology"], both[1].simulated["climatology"])


def test_persistence_is_the_last_observation_over_gaps(forcing, observation):
    found = compare(Reservoir(), forcing, observation, start=START, end=END).simulated["persistence"].values
    known = observation.data.values
    first = int(np.flatnonzero(observation.data["time"].values == np.datetime64(START))[0])
    np.testing.assert_array_equal(found[:, 0], known[first - 1 : -1, 0])
    assert (found[1200 - first + 1 : 1210 - first + 1, 1] == known[1199, 1]).all()


def test_an_ensemble_is_scored_by_its_mean_and_keeps_its_members(forcing, observation):
    models = [Reservoir(rate) for rate in (0.2, 0.25, 0.3)]
    found = compare(models, forcing, observation, start=START, end=END)
    assert found.members is not None and found.members.dims == ("time", "member", "cell")
    np.testing.assert_allclose(found.simulated["model"], found.members.mean("member"))


def test_own_metrics_may_take_times(forcing, observation):
    def in_winter(simulated, observed, *, times):
        """Return the bias in January."""
        january = times.dt.month.values == 1
        return (simulated - observed)[january].mean(axis=0)

    found = score(compare(Reservoir(), forcing, observation, start=START, end=END), {"winter-bias": in_winter})
    assert found["winter_bias"].attrs["long_name"] == "bias in January"
    assert found["winter_bias"].dims == ("source", "cell")


def test_what_cannot_be_compared_is_told(forcing, observation):
    def message(match, data=observation.data, model=None, output="outflow", **changed):
        given = {"start": START, "end": END} | changed
        with pytest.raises(ForcingError, match=match):
            evaluate(Reservoir() if model is None else model, forcing, Observation(output, data), **given)

    message(r"training period 2001-01-01 to 2004-06-01 overlaps", training=("2001-01-01", "2004-06-01"))
    message(r"no output 'runoff'; outputs: outflow", output="runoff")
    message(
        r"no output 'runoff'; outputs: outflow", output="runoff", model=simulate(Reservoir(), forcing, progress=False)
    )
    message(r"expected the dims \['cell', 'time'\], got \('time',\)", data=observation.data[:, 0])
    message(r"366 times are missing, the first 2004-01-01", data=observation.data[:1000])
    message(r"nothing is observed in the period", data=observation.data * np.nan)
    message(r"cell_id differs.*one order", data=observation.data.isel(cell=[1, 0, 2]))
    message(r"it has .*'cell': 2.*same places", data=observation.data.isel(cell=[0, 1]).drop_vars(["cell_id", "lat"]))
    message(r"attrs\['units'\] is missing", data=observation.data.drop_attrs())
    message(r"'K' .* cannot be converted", data=observation.data.assign_attrs(units="K"))
    message(r"more than once", data=xr.concat([observation.data, observation.data[:1]], "time"))
    message(r"no member; give one model or more", model=[])
    run = simulate(Reservoir(), forcing, end="2002-01-01", progress=False)
    message(r"no time of outflow lies in \[2004-01-01, 2005-01-01\)", model=run)
    with pytest.raises(ForcingError, match=r"forcing is None"):
        evaluate(Reservoir(), None, observation, start=START, end=END)


def test_a_metric_that_gives_one_number_for_all_places_is_told(forcing, observation):
    found = compare(Reservoir(), forcing, observation, start=START, end=END)
    with pytest.raises(ForcingError, match=r"metric total: it returned shape \(\) for places \(3,\)"):
        score(found, {"total": lambda simulated, observed: 1.0})
