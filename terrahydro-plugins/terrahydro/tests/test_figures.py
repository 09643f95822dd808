"""The pictures of a run: what they tell can be seen in them."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.dates import date2num
from terrahydro import draw_budget, draw_fluxes, draw_states

DAYS = 60
TIMES = np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
BOUNDS = [[0.0, 0.175], [0.175, 0.325], [0.325, 0.6]]


def field(units: str, *more: int) -> xr.DataArray:
    dims = ("time", "soil_layer", "cell") if more else ("time", "cell")
    return xr.DataArray(np.ones((DAYS, *more, 1)), {"time": TIMES}, dims, attrs={"units": units})


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **_: figures.append(figure))
    return figures


def test_layers_are_named_by_their_true_depths(tmp_path, drawn):
    results = xr.Dataset({
        "soil_moisture": field("1", 3), "surface_snow_amount": field("kg m-2"), "runoff_flux": field("kg m-2 day-1"),
        "soil_layer_bnds": (("soil_layer", "bnds"), BOUNDS)})  # fmt: skip
    forcing = xr.Dataset({"precipitation_flux": field("kg m-2 day-1")})
    draw_states(results, forcing, {}, tmp_path / "states.png", title="made up")
    labels = [line.get_label() for line in drawn[0].axes[2].lines]
    assert labels == ["twin, 0-17.5 cm", "twin, 17.5-32.5 cm", "twin, 32.5-60 cm"]


def test_the_demand_is_seen_where_the_soil_gives_all_of_it(tmp_path, drawn):
    names = ("gross_primary_productivity", "ecosystem_respiration", "net_ecosystem_exchange")
    water = {name: field("kg m-2 day-1") for name in ("evapotranspiration", "soil_evapotranspiration")}
    results = xr.Dataset(water | {name: field("g m-2 day-1") for name in names})
    draw_fluxes(results, tmp_path / "fluxes.png", title="made up")
    demand, given = drawn[0].axes[0].lines
    assert demand.get_linewidth() > 2 * given.get_linewidth()


def test_the_precipitation_of_the_last_month_has_a_width(tmp_path, drawn):
    names = ("precipitation", "snowfall_correction", "evapotranspiration", "runoff", "residual")
    budget = xr.Dataset({name: field("kg m-2") for name in names})
    draw_budget(budget, tmp_path / "budget.png", title="made up")
    line = drawn[0].axes[0].lines[0]
    assert date2num(line.get_xdata()[-1]) == date2num(np.datetime64("2001-04-01"))
    assert line.get_ydata()[-1] == line.get_ydata()[-2] == 2.0  # the first of March, twice a millimetre
