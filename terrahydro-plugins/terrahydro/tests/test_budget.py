"""The water budget of a run: it finds what is missing, and where."""

import numpy as np
import pytest
import xarray as xr
from terrahydro import draw_budget, residuals, totals, water_budget

from crest_core import ForcingError

DAYS, CELLS = 800, 2
THICKNESS = np.array([0.2, 0.4])


def made_up() -> tuple[xr.Dataset, xr.Dataset]:
    """Return results whose water balances by construction, and their forcing; a sample of numbers, no weather."""
    draw = np.random.default_rng(1)
    flux = {name: draw.uniform(0.0, 4.0, (DAYS, CELLS)) for name in
            ("rain", "correction", "liquid", "evaporation", "surface", "deep", "runoff", "recharge")}  # fmt: skip
    snow = np.cumsum(flux["rain"] + flux["correction"] - flux["liquid"], axis=0)
    soil = np.cumsum(flux["liquid"] - flux["evaporation"] - flux["surface"] - flux["recharge"], axis=0)
    ground = np.cumsum(flux["recharge"] - flux["deep"], axis=0)
    channel = np.cumsum(flux["surface"] + flux["deep"] - flux["runoff"], axis=0)
    layers = soil[:, None, :] * np.array([0.3, 0.7])[:, None] / THICKNESS[:, None] / 1000.0
    rate, store = {"units": "kg m-2 day-1"}, {"units": "kg m-2"}
    times = np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
    two = ("time", "cell")
    results = xr.Dataset(
        {
            "snowfall_correction": (two, flux["correction"], rate),
            "liquid_water_flux": (two, flux["liquid"], rate),
            "soil_evapotranspiration": (two, flux["evaporation"], rate),
            "surface_runoff": (two, flux["surface"], rate),
            "subsurface_runoff": (two, flux["deep"] / 86400.0, {"units": "kg m-2 s-1"}),
            "runoff_flux": (two, flux["runoff"], rate),
            "surface_snow_amount": (two, snow, store),
            "groundwater": (two, ground, store),
            "channel_water": (two, channel, store),
            "soil_moisture": (("time", "soil_layer", "cell"), layers, {"units": "1"}),
        },
        {"time": times, "soil_layer_bnds": (("soil_layer", "bnds"), [[0.0, 0.2], [0.2, 0.6]])},
    )
    forcing = xr.Dataset(
        {"precipitation_flux": (two, flux["rain"] / 86400.0, {"units": "kg m-2 s-1"})}, {"time": times}
    )
    return results, forcing


def test_a_run_that_balances_has_no_residual():
    results, forcing = made_up()
    budget = water_budget(results, forcing)
    assert budget.sizes["time"] == DAYS - 1
    for name in ("residual", "residual_snow", "residual_soil", "residual_streamflow"):
        assert float(abs(budget[name]).max()) < 1e-9


def test_soil_moisture_in_percent_is_the_same_water():
    results, forcing = made_up()
    results["soil_moisture"] = (100.0 * results["soil_moisture"]).assign_attrs(units="%")
    assert float(abs(water_budget(results, forcing)["residual"]).max()) < 1e-9
    results["soil_moisture"].attrs.pop("units")
    with pytest.raises(
        ForcingError, match="water budget: soil_moisture has no attribute units; set it to units as '1'"
    ):
        water_budget(results, forcing)


@pytest.mark.parametrize(
    ("field", "part"),
    [("liquid_water_flux", None), ("soil_evapotranspiration", "soil"), ("runoff_flux", "streamflow"),
     ("snowfall_correction", "snow")],
)  # fmt: skip
def test_water_that_is_lost_is_found_in_the_part_that_lost_it(field, part):
    results, forcing = made_up()
    results[field] = (results[field] + 1.0).assign_attrs(results[field].attrs)
    budget = water_budget(results, forcing)
    lost = 0.0 if part is None else (1.0 if part == "snow" else -1.0)
    np.testing.assert_allclose(budget["residual"], lost, atol=1e-9)
    for name in ("snow", "soil", "streamflow"):
        expected = lost if name == part else 0.0
        if part is not None:
            np.testing.assert_allclose(budget[f"residual_{name}"], expected, atol=1e-9)


def test_residuals_of_the_parts_add_up_where_the_soil_hands_over_no_runoff():
    results, forcing = made_up()
    learned = results.drop_vars(["surface_runoff", "subsurface_runoff", "groundwater", "channel_water"])
    budget = water_budget(learned, forcing)
    parts = budget["residual_snow"] + budget["residual_soil_and_streamflow"]
    np.testing.assert_allclose(parts, budget["residual"], atol=1e-9)
    assert float(abs(budget["residual"]).max()) > 1.0


def test_totals_are_those_of_calendar_years():
    results, forcing = made_up()
    table = totals(water_budget(results, forcing))
    assert table.index.tolist() == [2001, 2002, 2003]
    rain = forcing["precipitation_flux"].sel(time="2002").sum("time").mean("cell") * 86400.0
    assert table.loc[2002, "precipitation"] == pytest.approx(float(rain))


def test_a_step_that_the_next_makes_up_for_is_told_though_no_year_shows_it():
    results, forcing = made_up()
    results["runoff_flux"][100, 1] += 3.0
    results["runoff_flux"][101, 1] -= 3.0
    budget = water_budget(results, forcing)
    assert float(totals(budget)["residual_streamflow"].abs().max()) < 1e-9
    found = residuals(budget)
    assert found.index.tolist() == ["residual_snow", "residual_soil", "residual_streamflow", "residual"]
    assert found.loc["residual_streamflow", "largest"] == pytest.approx(-3.0)
    assert found.loc["residual_streamflow", "on"] == "2001-04-11"
    assert found.loc["residual", "rms"] == pytest.approx(np.sqrt(2 * 9.0 / ((DAYS - 1) * CELLS)))
    assert found.loc["residual_soil", "rms"] < 1e-9


def test_the_figure_of_a_budget_shows_the_residual_of_each_step(tmp_path, monkeypatch):
    results, forcing = made_up()
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **_: drawn.append(figure))
    budget = water_budget(results, forcing)
    draw_budget(budget, tmp_path / "budget.png", title="made up")
    labels = [axis.get_ylabel().split("\n")[0] for axis in drawn[0].axes]
    assert labels == ["water of a month [mm]", "residual of a step [mm]", "residual, summed [mm]"]
    lines = {line.get_label(): line for line in drawn[0].axes[1].lines}
    np.testing.assert_array_equal(lines["all"].get_ydata(), budget["residual"].mean("cell"))


def test_results_without_what_a_budget_needs_are_refused():
    results, forcing = made_up()
    with pytest.raises(
        ForcingError, match=r"water budget: no runoff_flux in the results; they hold \['channel_water', "
    ):
        water_budget(results.drop_vars("runoff_flux"), forcing)
    with pytest.raises(ForcingError, match=r"water budget: no precipitation_flux in the forcing; they hold \['pr'\]"):
        water_budget(results, forcing.rename(precipitation_flux="pr"))
    with pytest.raises(ForcingError, match=r"water budget: no soil_layer_bnds in the results"):
        water_budget(results.drop_vars("soil_layer_bnds"), forcing)
    with pytest.raises(ForcingError, match=r"water budget: precipitation_flux has no attribute units; set it to units"):
        water_budget(results, forcing.assign(precipitation_flux=forcing["precipitation_flux"].drop_attrs()))
    with pytest.raises(ForcingError, match=r"water budget: results of several \['member'\]; choose one"):
        water_budget(results.expand_dims(member=2), forcing)
    with pytest.raises(ForcingError, match=r"water budget: 2 lengths of a step in the results; expected two steps"):
        water_budget(results.isel(time=[0, 1, 3]), forcing)


def test_rain_of_other_cells_or_days_is_refused():
    results, forcing = made_up()
    named, turned = (one.assign_coords(cell_id=("cell", ids)) for one, ids in ((results, ["a", "b"]),
                                                                             (forcing, ["b", "a"])))  # fmt: skip
    with pytest.raises(ForcingError, match=r"cells \['a', 'b'\] in the results, \['b', 'a'\] in the forcing"):
        water_budget(named, turned)
    with pytest.raises(ForcingError, match=r"precipitation_flux has \{'time': 800, 'cell': 1\}; expected time and 2"):
        water_budget(results, forcing.isel(cell=[0]))
    with pytest.raises(ForcingError, match=r"results of days that the forcing lacks; give the forcing of the run"):
        water_budget(results, forcing.isel(time=slice(5, None)))


def test_days_that_were_picked_out_are_not_taken_for_longer_steps():
    results, forcing = made_up()
    first = results["time"].values
    bounds = np.stack([first, first + np.timedelta64(1, "D")], axis=1)
    told = results.assign_coords(time_bnds=(("time", "bnds"), bounds))
    assert float(abs(water_budget(told, forcing)["residual"]).max()) < 1e-9
    with pytest.raises(ForcingError, match=r"steps of 1 days 00:00:00 every 2 days 00:00:00; give all steps"):
        water_budget(told.isel(time=slice(None, None, 2)), forcing)


def test_a_year_of_360_days_is_summed_as_any_other():
    times = xr.date_range("2001-01-01", periods=DAYS, calendar="360_day", use_cftime=True)
    results, forcing = (one.assign_coords(time=times) for one in made_up())
    budget = water_budget(results, forcing)
    assert float(abs(budget["residual"]).max()) < 1e-9
    table = totals(budget)
    assert table.index.tolist() == [2001, 2002, 2003]
    assert table["runoff"].sum() == pytest.approx(float(budget["runoff"].mean("cell").sum()))
