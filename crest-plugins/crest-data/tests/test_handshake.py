"""Datasets that agree pass and merge exactly; each disagreement is told with both values and the repair."""

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention, conform
from crest_data.errors import DataError
from crest_data.handshake import handshake, merge
from crest_data.variable import Variable


def days(start="2001-01-01", periods=4, step=24):
    return (np.datetime64(start, "h") + np.arange(periods) * step).astype("datetime64[ns]")


def grid(name="rain", units="mm day-1", *, times=None, lat=(50.0, 51.0), lon=(8.0, 9.0), step="1D", **options):
    times = days() if times is None else times
    values = np.arange(float(len(times) * len(lat) * len(lon))).reshape(len(times), len(lat), len(lon))
    raw = xr.Dataset({"v": (("time", "lat", "lon"), values)}, {"time": times, "lat": list(lat), "lon": list(lon)})
    variable = Variable(name, units, **options.pop("variable", {}))
    return conform(raw, {"v": variable}, step=step, **{"source": name, **options})


def gauges(name="flow", ids=("a", "b")):
    places = {"cell": list(ids), "lat": ("cell", [50.0, 51.0]), "lon": ("cell", [8.0, 9.0])}
    raw = xr.Dataset({"v": (("time", "cell"), np.ones((4, 2)))}, {"time": days(), **places})
    return conform(raw, {"v": Variable(name, "m3 s-1")}, step="1D", source=name)


def test_datasets_that_agree_merge_value_by_value():
    rain, warmth = grid("rain"), grid("warmth", "K", licence="CC0")
    merged = merge(rain, warmth)
    check_convention(merged)
    xr.testing.assert_identical(merged["rain"].variable, rain["rain"].variable)
    xr.testing.assert_identical(merged["warmth"].variable, warmth["warmth"].variable)
    assert merged.attrs["source"] == "rain; warmth" and merged.attrs["licence"] == "CC0"
    assert "renamed v -> rain" in merged.attrs["changes"] and "renamed v -> warmth" in merged.attrs["changes"]
    assert merged.attrs["time_zone"] == "UTC"


def test_a_static_dataset_joins_any_period():
    raw = xr.Dataset({"v": (("lat", "lon"), np.ones((2, 2)))}, {"lat": [50.0, 51.0], "lon": [8.0, 9.0]})
    height = conform(raw, {"v": Variable("height", "m")}, step=None, source="height")
    merged = merge(grid(), height)
    assert merged["height"].dims == ("y", "x") and merged.attrs["time_zone"] == "UTC"
    assert merge(height, grid())["rain"].dims == ("time", "y", "x")


def test_three_datasets_are_compared_two_by_two():
    with pytest.raises(DataError) as caught:
        handshake(grid(), grid(lon=(8.5, 9.5)), grid("warmth", "K"))
    assert str(caught.value).count("regrid one") == 2


def test_phase_lets_periods_differ_and_exact_does_not():
    earlier, later = grid(), grid(times=days("2001-01-05"))
    handshake(earlier, later, time="phase")
    with pytest.raises(DataError, match="select the period and the times of both in sight"):
        handshake(earlier, later)


NOLEAP = xr.date_range("2001-01-01", periods=4, calendar="noleap", use_cftime=True)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            lambda: grid(times=NOLEAP),
            "calendar: standard in {1}, noleap in {2}; convert one with xarray's convert_calendar",
        ),
        (lambda: grid(time_zone="CET"), "time_zone: UTC in {1}, CET in {2}; days of two zones are not the same days"),
        (lambda: grid(times=days(step=1), step="1h"), "time step: 1 day, 0:00:00 in {1}, 1:00:00 in {2}; bring one to"),
        (
            lambda: grid(times=days("2001-01-01T12")),
            "time phase, intervals start at: 2001-01-01T00:00:00 in {1}, 2001-01-01T12:00:00 in {2}; bring one to",
        ),
        (
            lambda: grid(times=days(periods=3)),
            "times: 4 times, 2001-01-01T00:00:00 to 2001-01-04T00:00:00 in {1}, 3 times, 2001-01-01T00:00:00 to "
            "2001-01-03T00:00:00 in {2}; select the period and the times of both in sight (2001-01-04T00:00:00 is",
        ),
        (
            lambda: grid(times=days()[[0, 1, 3]]),
            "in {2}; select the period and the times of both in sight (2001-01-03T00:00:00 is in one only)",
        ),
        (lambda: grid(lat=(50.0, 51.0, 52.0)), "size of y: 2 in {1}, 3 in {2}; select the same places in sight"),
        (lambda: grid(lon=(18.0, 19.0)), "lon: 8.0 in {1}, 18.0 in {2}; regrid one to the places of the other"),
        (
            lambda: grid(lat=(50.0, 51.000000001)),
            "lat: 51.0 in {1}, 51.000000001 in {2}; they differ by up to 1.0e-09 degrees: if it is one grid,",
        ),
        (lambda: gauges(), "dims: y, x in {1}, cell in {2}; bring the grid to the cells"),
        (lambda: grid(units="kg m-2 s-1"), "units of rain: 'mm day-1' in {1}, 'kg m-2 s-1' in {2}; convert one"),
        (
            lambda: grid(variable={"cell_methods": "time: maximum"}),
            "cell_methods of rain: 'time: mean' in {1}, 'time: maximum' in {2}; rename one, they are two quantities",
        ),
        (
            lambda: grid(variable={"cell_methods": "time: point"}, step=None),
            "time step: 1 day, 0:00:00 in {1}, point values in {2}",
        ),
    ],
)
def test_a_disagreement_is_told_with_both_values_and_the_repair(other, said):
    second = other()
    expected = said.replace("{1}", "dataset 1 (rain)").replace("{2}", f"dataset 2 ({second.attrs['source']})")
    with pytest.raises(DataError) as caught:
        handshake(grid(), second)
    assert str(caught.value).startswith("the datasets do not agree:\n")
    assert expected in str(caught.value)


def test_intervals_that_start_alike_end_alike():
    def held(last):
        edges = np.array([["2001-01-01", "2001-02-01"], ["2001-02-01", last]], dtype="datetime64[ns]")
        raw = xr.Dataset({"v": ("time", [1.0, 2.0])}, {"time": edges[:, 0], "lat": 50.0, "lon": 8.0})
        raw["time_bnds"] = (("time", "bnds"), edges)
        raw["time"].attrs["bounds"] = "time_bnds"
        return conform(raw, {"v": Variable("rain", "mm day-1")}, step=None, source="months")

    handshake(held("2001-03-01"), held("2001-03-01"))
    with pytest.raises(DataError, match="ends of the intervals: some in .*; correct the bounds"):
        handshake(held("2001-03-01"), held("2001-02-20"))


def test_cells_are_the_same_ones_in_the_same_order():
    with pytest.raises(DataError, match="cell_id: 'a' in .*, 'b' in .*; select the same cells in the same order"):
        handshake(gauges(), gauges(ids=("b", "a")))


def test_one_quantity_under_two_names_has_one_unit():
    named = {"variable": {"standard_name": "air_temperature"}}
    with pytest.raises(DataError, match="units of warmth and tas: 'K' in .*, 'degC' in"):
        handshake(grid("warmth", "K", **named), grid("tas", "degC", **named))


EVAPORATION = "water_evapotranspiration_flux"


def test_fluxes_of_opposite_sign_do_not_agree_under_any_name():
    up, down = ({"standard_name": EVAPORATION, "positive": sign} for sign in ("up", "down"))
    said = "'up' in .*, 'down' in .*; multiply one by -1 and set its attribute positive to that of the other"
    with pytest.raises(DataError, match=f"positive of loss and evaporation: {said}"):
        handshake(grid("loss", variable=up), grid("evaporation", variable=down))
    with pytest.raises(DataError, match=f"positive of loss: {said}"):
        handshake(grid("loss", variable=up), grid("loss", variable=down))
    handshake(grid("loss", variable=up), grid("evaporation", variable=up))
    untold = grid("loss", variable={"standard_name": EVAPORATION})  # positive up, as the dictionary of fields says
    handshake(grid("loss", variable=up), untold)
    with pytest.raises(DataError, match=f"positive of loss: {said}"):
        handshake(untold, grid("loss", variable=down))


def test_one_name_is_of_one_vertical_extent():
    shallow, deep = ({"vertical": (0.0, depth)} for depth in (0.05, 1.0))
    said = r"vertical_extent of wetness \[m\]: \[0.0, 0.05\] in .*, \[0.0, 1.0\] in .*; rename one, they are two"
    with pytest.raises(DataError, match=said):
        handshake(grid("wetness", "1", variable=shallow), grid("wetness", "1", variable=deep))
    handshake(grid("wetness", "1", variable=shallow), grid("wetness", "1", variable=shallow))
    handshake(grid("surface", "1", variable=shallow), grid("root_zone", "1", variable=deep))


def test_units_written_in_two_ways_are_one():
    handshake(grid("a", "kg m-2 s-1"), grid("a", "kg m**-2 s**-1"))


def test_layers_agree_in_number_and_depth():
    shallow = gauges("wetness").expand_dims(layer=[0.1, 0.4], axis=1)
    deep = gauges("warmth").expand_dims(layer=[0.1, 1.0], axis=1)
    with pytest.raises(DataError, match=r"coordinate layer: \[0.1, 0.4\] in .*, \[0.1, 1.0\] in .*; give one of them"):
        handshake(shallow, deep)
    with pytest.raises(DataError, match="size of layer: 2 in .*, 1 in"):
        handshake(shallow, deep.isel(layer=[0]))


def test_one_name_in_two_datasets_is_no_merge():
    with pytest.raises(DataError, match=r"\['rain'\] are in several datasets; rename or drop one of each"):
        merge(grid(), grid())


def test_a_dataset_that_departs_from_the_convention_is_named():
    with pytest.raises(DataError, match=r"dataset 2 \(rain\): the dataset departs from the convention"):
        handshake(grid(), grid().drop_vars("lat"))
    with pytest.raises(DataError, match="handshake time 'nearest' is not one of exact, phase"):
        handshake(grid(), time="nearest")


def test_values_at_an_overpass_are_no_values_at_the_end_of_the_day():
    def held(**more):
        raw = xr.Dataset({"v": ("time", np.ones(4))}, {"time": days(), "lat": 50.0, "lon": 8.0})
        raw = raw.assign_coords(passed=("time", days() + np.timedelta64(6, "h")))
        return conform(raw, {"v": Variable("wet", "1", cell_methods="time: point", **more)}, step="1D", source="s")

    said = (
        "cell_methods of wet: 'time: point' in .*, 'time: point, at passed' in .*; rename one, they are two quantities"
    )
    with pytest.raises(DataError, match=said):
        handshake(held(), held(point_time="passed"))
    handshake(held(point_time="passed"), held(point_time="passed"))


def test_what_is_no_dataset_is_told_by_its_number():
    with pytest.raises(DataError, match="merge: expected one Dataset or several, got none; give what is to be merged"):
        merge()
    with pytest.raises(DataError, match="dataset 2: expected an xarray Dataset, got NoneType; give one$"):
        merge(grid(), None)
    with pytest.raises(DataError, match=r"dataset 2: expected an xarray Dataset, got DataArray; give one, as by"):
        merge(grid(), grid("warmth", "K")["warmth"])
