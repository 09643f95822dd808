"""What check_convention says of data that depart, and what a Variable refuses."""

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


def conformed(raw, variable=RAIN, **options):
    return conform(raw, {"P": variable}, **{"step": "1D", "source": "gauges", **options})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.drop_vars("lat"), "lat: the coordinate is absent"),
        (lambda d: d.assign_coords(lon=d["lon"] + 360.0), r"lon: 368 is not within \[-180, 180\)"),
        (
            lambda d: d.assign(rain=d["rain"].T),
            r"rain: dims \('cell', 'time'\), expected time first and the places last",
        ),
        (lambda d: d.assign(rain=d["rain"].astype(int)), "rain: int64, expected floats with nan for missing"),
        (lambda d: d.isel(time=[1, 0]), "time: not ascending, or a time twice"),
        (lambda d: d.drop_attrs(deep=False), "time_zone: the attribute is absent"),
        (lambda d: d.drop_attrs(deep=False), "source: the attribute is absent"),
        (lambda d: d.drop_vars("time_bnds"), "time_bnds: named as the bounds of time, but absent"),
        (lambda d: d.drop_vars("cell_id"), "cell_id: expected a coordinate of text on cell"),
        (lambda d: d.rename(cell="gauge"), r"dims: expected cell, or y and x, got \['bnds', 'gauge', 'time'\]"),
        (lambda d: d.drop_vars("rain"), "it holds no variable"),
    ],
)
def test_every_deviation_is_said(change, said):
    with pytest.raises(DataError, match=said):
        check_convention(change(conformed(cells())))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"units": None}, "rain: no units"),
        ({"units": "C"}, "rain: units 'C': 'C' is ambiguous"),
        ({"cell_methods": "time: typical"}, "rain: cell_methods 'time: typical', expected 'time: mean' or the like"),
        ({"_FillValue": -1.0}, "rain: holds fill values or packed numbers"),
        ({"ancillary_variables": "rain_quality"}, "rain_quality: named by rain, but absent"),
    ],
)
def test_every_attribute_that_departs_is_said(attributes, said):
    held = conformed(cells())
    held["rain"].attrs = {key: text for key, text in {**held["rain"].attrs, **attributes}.items() if text is not None}
    with pytest.raises(DataError, match=said):
        check_convention(held)


WETNESS = Variable("wetness", "1", cell_methods="time: point")


def test_point_values_hold_at_the_ends_of_their_intervals_which_are_told():
    held = conformed(cells(), WETNESS)
    check_convention(held)
    assert held["time_end"].values.tolist() == held["time_bnds"].values[:, 1].tolist()
    assert "time_end" in held["wetness"].coords and "time_end" not in conformed(cells()).coords
    with pytest.raises(DataError, match="wetness: 'time: point' without the coordinate time_end, the ends of"):
        check_convention(held.drop_vars("time_end"))
    with pytest.raises(DataError, match="time_end: not the ends of the intervals that the bounds tell"):
        check_convention(held.assign_coords(time_end=held["time"].variable))


def test_point_values_without_intervals_hold_at_their_times():
    held = conformed(cells(), WETNESS, step=None)
    assert "time_end" not in held.coords and held["time"].values.tolist() == DAYS.tolist()


def test_ends_of_intervals_survive_a_second_conform():
    held = conformed(cells(), WETNESS)
    again = conform(held, {"wetness": WETNESS}, step="1D", source="gauges")
    xr.testing.assert_identical(held["time_end"], again["time_end"])
    assert (
        "time_end" not in conform(held, {"wetness": Variable("mean_wetness", "1")}, step="1D", source="gauges").coords
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "Rain"}, "variable name 'Rain': expected lower-case letters"),
        ({"name": "rain_quality"}, "no ending '_quality'"),
        ({"units": "furlong2 day"}, None),
        ({"units": "blub"}, "rain: units 'blub' are not understood"),
        ({"cell_methods": "mean"}, "rain: cell_methods 'mean'; expected 'time: ' and one of mean, sum"),
        ({"bounds": (1.0, 0.0)}, r"rain: bounds \(1.0, 0.0\); expected the lower one first"),
        ({"reject": True}, "rain: reject=True needs bounds"),
        ({"point_time": "overpass_time"}, "rain: point_time is for point values, but cell_methods is 'time: mean'"),
        ({"positive": "north"}, "rain: positive 'north'; expected 'up', 'down' or ''"),
    ],
)
def test_a_variable_that_contradicts_itself_is_refused(arguments, said):
    if said is None:
        assert Variable(**{"name": "rain", "units": "mm", **arguments})
        return
    with pytest.raises(DataError, match=said):
        Variable(**{"name": "rain", "units": "mm", **arguments})
