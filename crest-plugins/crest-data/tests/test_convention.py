"""What conform makes of raw data, and what check_convention says of data that depart."""

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention, conform
from crest_data.errors import DataError
from crest_data.variable import Variable

DAYS = np.arange("2001-01-01", "2001-01-05", dtype="datetime64[D]").astype("datetime64[ns]")
RAIN = Variable("rain", "mm day-1", standard_name="precipitation_flux")


def cells(values=None, times=DAYS, **coords):
    """Return raw rain at two gauges."""
    values = np.arange(2.0 * len(times)).reshape(-1, 2) if values is None else values
    places = {"gauge_id": ["a", "b"], "lat": ("gauge_id", [50.0, 51.0]), "lon": ("gauge_id", [8.0, 190.0])}
    return xr.Dataset({"P": (("time", "gauge_id"), values)}, {"time": times, **places, **coords})


def grid(lat=(50.0, 51.0), lon=(8.0, 9.0, 10.0), dims=("time", "lat", "lon")):
    sizes = {"time": 4, "lat": len(lat), "lon": len(lon)}
    values = np.arange(np.prod(list(sizes.values())), dtype=float).reshape([sizes[dim] for dim in dims])
    return xr.Dataset({"P": (dims, values)}, {"time": DAYS, "lat": list(lat), "lon": list(lon)})


def conformed(raw, variable=RAIN, **options):
    return conform(raw, {"P": variable}, **{"step": "1D", "source": "gauges", **options})


def changes(dataset):
    return dataset.attrs["changes"].splitlines()


def test_cells_come_out_in_the_convention():
    held = conformed(cells(), licence="CC0", citation="Nobody (2000)")
    assert held["rain"].dims == ("time", "cell")
    assert held["cell_id"].values.tolist() == ["a", "b"]
    assert held["lon"].values.tolist() == [8.0, -170.0]
    assert held["time_bnds"].values.tolist() == np.stack([DAYS, DAYS + np.timedelta64(1, "D")], axis=1).tolist()
    expected = {"standard_name": "precipitation_flux", "units": "mm day-1", "cell_methods": "time: mean"}
    assert held["rain"].attrs == expected
    assert held.attrs["licence"] == "CC0" and held.attrs["citation"] == "Nobody (2000)"
    assert held.attrs["time_zone"] == "UTC" and held.attrs["calendar"] == "standard"
    assert changes(held) == ["renamed dim gauge_id -> cell", "lon: 1 values moved to [-180, 180)", "renamed P -> rain"]


def test_conform_of_what_conforms_changes_nothing():
    once = conformed(cells())
    again = conform(once, {"rain": RAIN}, step="1D", source="gauges")
    assert again.attrs["changes"] == once.attrs["changes"]
    xr.testing.assert_identical(once.drop_attrs(deep=False), again.drop_attrs(deep=False))


def test_the_raw_data_are_left_alone():
    raw = cells()
    before = raw.copy(deep=True)
    conformed(raw, Variable("rain", "mm day-1", to_units="kg m-2 s-1", missing=(0.0,)))
    xr.testing.assert_identical(raw, before)


def test_it_survives_a_netcdf_file(tmp_path):
    held = conformed(grid(lat=(51.0, 50.0)), Variable("rain", "mm day-1", missing=(3.0,)))
    held.to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "rain.nc", engine="h5netcdf", decode_coords="all") as back:
        check_convention(back.load())
        xr.testing.assert_equal(back, held)


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazily"])
def test_a_sorted_grid_has_each_value_at_its_place(lazy):
    raw = grid(lat=(51.0, 50.0), lon=(0.0, 120.0, 240.0))
    held = conformed(raw.chunk() if lazy else raw)
    assert held["lat"].values.tolist() == [50.0, 51.0]
    assert held["lon"].values.tolist() == [-120.0, 0.0, 120.0]
    for y, lat in enumerate(held["lat"].values):
        for x, lon in enumerate(held["lon"].values):
            expected = raw["P"].sel(lat=lat, lon=lon % 360.0).values
            assert held["rain"][:, y, x].values.tolist() == expected.tolist()
    assert (held["rain"].chunks is not None) == lazy


def test_a_curvilinear_grid_is_turned_north():
    lat, lon = np.meshgrid([60.0, 55.0, 50.0], [8.0, 9.0], indexing="ij")
    values = np.broadcast_to(lat, (4, 3, 2))
    raw = xr.Dataset(
        {"P": (("time", "y", "x"), values)}, {"time": DAYS, "lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    )
    held = conformed(raw)
    assert held["lat"][:, 0].values.tolist() == [50.0, 55.0, 60.0]
    assert (held["rain"][0].values == held["lat"].values).all()


def test_one_place_becomes_one_cell():
    raw = xr.Dataset({"P": ("time", np.arange(4.0))}, {"time": DAYS, "lat": 50.0, "lon": 8.0})
    held = conformed(raw)
    assert held["rain"].shape == (4, 1) and held["cell_id"].values.tolist() == ["0"]
    assert changes(held)[:2] == ["one place: added the dim cell", "cell_id: numbered from 0"]


def test_one_time_becomes_a_dim_of_one():
    held = conformed(cells().isel(time=1))
    assert held["rain"].values.tolist() == [[2.0, 3.0]] and held["time"].values.tolist() == [DAYS[1].astype(int)]
    assert "one time: added the dim" in changes(held)
    with pytest.raises(DataError, match=r"\['time', 'valid_time'\] may each be the time; drop all but that"):
        conformed(cells().isel(time=1).assign_coords(valid_time=DAYS[2]))


def test_layers_stay_between_time_and_places():
    raw = cells().expand_dims(layer=3, axis=2)
    assert conformed(raw)["rain"].dims == ("time", "layer", "cell")


def test_static_variables_have_no_time():
    raw = cells()[["P"]].isel(time=0, drop=True)
    held = conformed(raw, Variable("area", "km2"), step=None)
    assert held["area"].dims == ("cell",)
    assert "cell_methods" not in held["area"].attrs and "time_zone" not in held.attrs


@pytest.mark.parametrize(
    ("units", "to_units", "methods", "factor", "after"),
    [
        ("mm", "mm day-1", "time: sum", 1.0, "time: mean"),
        ("mm", "kg m-2 s-1", "time: sum", 1 / 86400, "time: mean"),
        ("J m-2", "W m-2", "time: sum", 1 / 86400, "time: mean"),
        ("mm day-1", "kg m-2 s-1", "time: mean", 1 / 86400, "time: mean"),
        ("m", "kg m-2", "time: sum", 1000.0, "time: sum"),
        ("kW m-2", "W m-2", "time: maximum", 1000.0, "time: maximum"),
    ],
)
def test_sums_and_depths_become_the_rates_and_masses_asked_for(units, to_units, methods, factor, after):
    held = conformed(cells(), Variable("rain", units, to_units=to_units, cell_methods=methods))
    np.testing.assert_allclose(held["rain"].values, cells()["P"].values * factor, rtol=1e-14)
    assert held["rain"].attrs["units"] == to_units and held["rain"].attrs["cell_methods"] == after
    assert any(line.startswith(f"rain: {units} -> {to_units}") for line in changes(held))


def test_the_largest_sum_of_an_hour_is_no_sum_of_the_day():
    chain = "time: sum time: maximum (interval: 1 hour)"
    assert Variable("rain", "mm", cell_methods=chain).statistic == "maximum"
    with pytest.raises(DataError, match="an amount and a rate differ by a time, and cell_methods 'time: sum time: max"):
        conformed(cells(), Variable("rain", "mm", to_units="mm day-1", cell_methods=chain))
    with pytest.raises(DataError, match="cell_methods 'time: mean within years.*expected 'time: ' and one of mean"):
        Variable("rain", "mm", cell_methods="time: mean within years time: mean over years")


def test_a_latitude_beside_lat_is_an_attribute_of_the_places_where_it_tells_the_same():
    raw = cells().assign(latitude=("gauge_id", [50.0, 51.0], {"units": "degree_north"}))
    assert conformed(raw)["lat"].values.tolist() == [50.0, 51.0]
    with pytest.raises(DataError, match=r"lat: \['latitude', 'lat'\] may each be the latitude; rename the right"):
        conformed(raw.assign(latitude=("gauge_id", [50.0, 52.0])))


def test_latitudes_of_a_turned_pole_are_no_latitudes():
    raw = cells()
    raw["lat"].attrs["standard_name"] = "grid_latitude"
    with pytest.raises(
        DataError, match="lat: its standard_name is 'grid_latitude', expected 'latitude'; a grid with a"
    ):
        conformed(raw, Variable("rain", "mm day-1"))


def test_a_mean_is_not_divided_by_the_step_again():
    with pytest.raises(
        DataError, match=r"rain: mm -> mm day-1: an amount and a rate differ by a time, and cell_methods"
    ):
        conformed(cells(), Variable("rain", "mm", to_units="mm day-1"))


def test_units_of_another_kind_are_refused():
    with pytest.raises(DataError, match=r"rain: 'K' \(\[temperature\]\) cannot be converted to 'mm'"):
        conformed(cells(), Variable("rain", "K", to_units="mm"))


def test_float32_stays_float32_and_integers_become_float64():
    single = conformed(cells(np.ones((4, 2), dtype=np.float32)), Variable("rain", "mm day-1", to_units="kg m-2 s-1"))
    whole = conformed(cells(np.ones((4, 2), dtype=np.int16)))
    assert single["rain"].dtype == np.float32 and whole["rain"].dtype == np.float64


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazily"])
def test_every_nan_has_its_reason(lazy):
    values = np.array([[1.0, -9999.0], [np.nan, 700.0], [2.0, 3.0], [4.0, 5.0]])
    flags = {"rain": xr.DataArray(np.array([[0, 0], [0, 0], [3, 2], [0, 0]], np.uint8), dims=("time", "gauge_id"))}
    raw = cells(values)
    variable = Variable("rain", "mm day-1", missing=(-9999.0,), bounds=(0.0, 600.0), reject=True)
    held = conformed(raw.chunk() if lazy else raw, variable, flags=flags)
    assert held["rain_quality"].values.tolist() == [[0, 1], [1, 2], [3, 2], [0, 0]]
    np.testing.assert_array_equal(held["rain"].values, [[1, np.nan], [np.nan, np.nan], [2, np.nan], [4, 5]])
    assert held["rain"].attrs["ancillary_variables"] == "rain_quality"
    assert held["rain_quality"].attrs["flag_meanings"] == "good missing rejected filled"
    if lazy:
        assert "rain: -9999 -> missing (read lazily, not counted)" in changes(held)
    else:
        assert changes(held)[-2:] == ["rain: -9999 -> missing, 1 values", "rain: 2 values rejected"]


def test_a_fill_value_that_a_flag_rejects_is_counted_once():
    values = np.array([[1.0, -9999.0], [-9999.0, -9999.0], [2.0, 3.0], [4.0, 5.0]])
    flags = {"rain": xr.DataArray(np.array([[0, 2], [0, 1], [0, 0], [0, 2]], np.uint8), dims=("time", "gauge_id"))}
    held = conformed(cells(values), Variable("rain", "mm day-1", missing=(-9999.0,)), flags=flags)
    assert held["rain_quality"].values.tolist() == [[0, 2], [1, 1], [0, 0], [0, 2]]
    assert changes(held)[-2:] == ["rain: -9999 -> missing, 2 values", "rain: 2 values rejected"]


def test_flags_leave_the_bounds_of_time_as_they_are():
    edges = np.stack([DAYS, DAYS + np.timedelta64(1, "D")], axis=1)
    raw = cells().assign(time_bnds=(("time", "bnds"), edges))
    raw["time"].attrs["bounds"] = "time_bnds"
    held = conformed(raw, step=None, flags={"rain": xr.zeros_like(raw["P"], dtype=np.uint8)})
    assert held["time_bnds"].values.tolist() == edges.tolist()


def test_flags_of_other_coordinates_are_refused():
    for other in (cells()["P"].isel(time=[0, 1]), cells()["P"].assign_coords(gauge_id=["a", "c"])):
        with pytest.raises(DataError, match="rain_quality: the flags are not on the coordinates of the data"):
            conformed(cells(), flags={"rain": other.astype(np.uint8)})


def test_flags_in_the_words_of_the_source_are_refused():
    with pytest.raises(DataError, match="rain: a flag is 9; expected 0 good, 1 missing, 2 rejected or 3 filled"):
        conformed(cells(), flags={"rain": xr.full_like(cells()["P"], 9, dtype=np.uint8)})
    with pytest.raises(DataError, match="rain_quality: flags of float64; expected whole numbers"):
        conformed(cells(), flags={"rain": cells()["P"]})


def test_flags_follow_their_values_when_a_grid_is_turned():
    raw = grid(lat=(51.0, 50.0))
    flag = xr.zeros_like(raw["P"], dtype=np.uint8)
    flag.loc[{"lat": 51.0, "lon": 9.0}] = 2
    held = conformed(raw, flags={"rain": flag})
    assert (held["rain_quality"].isel(y=1, x=1) == 2).all() and held["rain_quality"].sum() == 8


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazily"])
def test_an_impossible_value_is_an_error_with_its_index(lazy):
    values = np.ones((4, 2))
    values[2, 1] = -3.0
    raw = cells(values)
    said = r"rain: -3 mm day-1 at index \[2, 1\] \(1 such values\): expected finite values within \[0, 600\] mm day-1"
    with pytest.raises(DataError, match=said):
        conformed(raw.chunk() if lazy else raw, Variable("rain", "mm day-1", bounds=(0.0, 600.0))).load()


def test_labels_flags_and_names_are_checked():
    with pytest.raises(DataError, match="label 'centre' is not one of start, middle, end"):
        conformed(cells(), label="centre")
    with pytest.raises(DataError, match="step: timestep '1 month' is not a whole number"):
        conformed(cells(), step="1 month")
    with pytest.raises(
        DataError, match=r"flags are given for \['snow'\], which are not among the variables \['rain'\]"
    ):
        conformed(cells(), flags={"snow": cells()["P"]})
    with pytest.raises(DataError, match=r"the names \['rain'\] are each given to two variables"):
        conform(cells().assign(Q=cells()["P"]), {"P": RAIN, "Q": RAIN}, step="1D", source="x")
