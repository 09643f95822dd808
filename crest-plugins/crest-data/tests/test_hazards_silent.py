"""What xarray lets pass in silence: each case is converted and told, or refused with both values and the repair."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable

HOURS = pd.date_range("2014-03-29T22:00", periods=8, freq="1h", unit="ns")
KELVIN = Variable("warmth", "K", standard_name="air_temperature", bounds=(150.0, 350.0))
RAIN = Variable("rain", "mm day-1", to_units="kg m-2 s-1")


def raw(
    values=280.0, *, times=HOURS, lat=(50.0, 51.0), lon=(8.0, 9.0), dims=("time", "lat", "lon"), units="K", kind=None
):
    """Return a small grid as a file would hold it."""
    sizes = {"time": len(times), "lat": len(lat), "lon": len(lon)}
    data = np.full([sizes[dim] for dim in dims], values, dtype=kind or np.float64)
    attributes = {"units": units} if units else {}
    return xr.Dataset(
        {"t2m": (dims, data, attributes)}, {"time": times, "lat": np.asarray(lat), "lon": np.asarray(lon)}
    )


def conformed(dataset, variable=KELVIN, step="1h", **options):
    return conform(dataset, {"t2m": variable}, step=step, source="a file", **options)


LOCAL = HOURS.tz_localize("UTC").tz_convert("Europe/Berlin")

CONVERTED = {
    "longitudes 0 to 360": (
        lambda: conformed(raw(lon=(0.0, 90.0, 180.0, 270.0))),
        "lon: 2 values moved to [-180, 180)",
        lambda held: held["lon"].values.tolist() == [-180.0, -90.0, 0.0, 90.0],
    ),
    "latitudes from north to south": (
        lambda: conformed(raw(lat=(51.0, 50.0))),
        "lat: sorted from south to north",
        lambda held: held["lat"].values.tolist() == [50.0, 51.0],
    ),
    "dims (lat, lon, time)": (
        lambda: conformed(raw(dims=("lat", "lon", "time"))),
        "warmth: dims (y, x, time) -> (time, y, x)",
        lambda held: held["warmth"].dims == ("time", "y", "x"),
    ),
    "coordinates in float32": (
        lambda: conformed(raw(lat=np.array([50.1, 51.1], np.float32))),
        "lat: float32 -> float64, the shortest decimals",
        lambda held: held["lat"].values.tolist() == [50.1, 51.1],
    ),
    "times with a zone, over the change to summer time": (
        lambda: conformed(raw(times=LOCAL)),
        "time: Europe/Berlin -> UTC",
        lambda held: held["time"].values.tolist() == HOURS.to_numpy().tolist(),
    ),
    "a declared fill value": (
        lambda: conformed(raw(-9999.0), Variable("warmth", "K", bounds=(150.0, 350.0), missing=(-9999.0,))),
        "warmth: -9999 -> missing, 32 values",
        lambda held: bool(held["warmth"].isnull().all() and (held["warmth_quality"] == 1).all()),
    ),
    "a fill value in the attributes": (
        lambda: conformed(raw(-1.0).assign(t2m=raw(-1.0)["t2m"].assign_attrs(missing_value=-1.0))),
        "warmth: -1 -> missing, 32 values",
        lambda held: bool(held["warmth"].isnull().all()),
    ),
    "a fill value that float32 rounds": (
        lambda: conformed(raw(1e30, kind=np.float32), Variable("warmth", "K", missing=(1e30,))),
        "warmth: 1e+30 -> missing, 32 values",
        lambda held: bool(held["warmth"].isnull().all()),
    ),
    "degrees Celsius, asked for in K": (
        lambda: conformed(raw(10.0, units="degC"), Variable("warmth", "degC", to_units="K", bounds=(150.0, 350.0))),
        "warmth: degC -> K (+ 273.15)",
        lambda held: bool((held["warmth"] == 283.15).all()),
    ),
    "units that mean nothing, declared": (
        lambda: conformed(raw(units="C"), Variable("warmth", "degC", to_units="K")),
        "warmth: the source's units 'C' read as 'degC'",
        lambda held: bool((held["warmth"] == 553.15).all()),
    ),
    "depth of water asked for as mass": (
        lambda: conformed(raw(86400.0, units="mm day-1"), RAIN),
        "rain: mm day-1 -> kg m-2 s-1 (/ 86400), with 1000 kg m-3",
        lambda held: bool((held["rain"] == 1.0).all()),
    ),
    "metres where millimetres are expected": (
        lambda: conformed(raw(0.001, units="m"), Variable("rain", "m", to_units="mm", cell_methods="time: sum")),
        "rain: m -> mm (x 1000)",
        lambda held: bool((held["rain"] == 1.0).all()),
    ),
    "J m-2 of an hour asked for in W m-2": (
        lambda: conformed(
            raw(3.6e6, units="J m-2"), Variable("sun", "J m-2", to_units="W m-2", cell_methods="time: sum"), label="end"
        ),
        "sun: J m-2 -> W m-2 (/ 3600), the sum over 3600 s -> mean",
        lambda held: bool((held["sun"] == 1000.0).all() and held["sun"].attrs["cell_methods"] == "time: mean"),
    ),
    "noleap days": (
        lambda: conformed(
            raw(times=xr.date_range("2000-02-27", periods=4, calendar="noleap", use_cftime=True)), step="1D"
        ),
        "renamed t2m -> warmth",
        lambda held: held["time"].dt.calendar == "noleap" == held.attrs["calendar"],
    ),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_it_is_converted_and_told(case):
    make, line, holds = CONVERTED[case]
    held = make()
    assert line in held.attrs["changes"].splitlines()
    assert holds(held)


def _packed():
    dataset = raw(12, kind=np.int16)
    dataset["t2m"].attrs |= {"scale_factor": 0.01, "add_offset": 280.0}
    return dataset


AUTUMN = pd.DatetimeIndex(["2014-10-26T01:00", "2014-10-26T02:00", "2014-10-26T02:00", "2014-10-26T03:00"]).as_unit(
    "ns"
)
BACK = pd.DatetimeIndex(["2014-10-26T02:00", "2014-10-26T02:30", "2014-10-26T02:00", "2014-10-26T02:30"]).as_unit("ns")

REFUSED = {
    "a longitude twice, as 0 and 360": (
        lambda: conformed(raw(lon=(0.0, 180.0, 360.0))),
        "lon: 0 appears twice; keep one (0 and 360, -180 and 180 are one longitude)",
    ),
    "longitudes of no circle": (lambda: conformed(raw(lon=(0.0, 400.0))), "lon: 400 is not within [-180, 360] degrees"),
    "lat and lon swapped": (
        lambda: conformed(raw(lat=(100.0, 101.0))),
        "lat: 100 is not within [-90, 90] degrees; are lat and lon swapped?",
    ),
    "latitudes in no order": (
        lambda: conformed(raw(lat=(50.0, 52.0, 51.0))),
        "lat: neither ascending nor descending; sort the grid by lat",
    ),
    "longitudes in no order": (
        lambda: conformed(raw(lon=(8.0, 10.0, 9.0, 11.0, 10.5))),
        "lon: neither ascending nor descending; sort the grid by lon",
    ),
    "latitudes in radians": (
        lambda: conformed(raw().assign_coords(lat=("lat", [0.8, 0.9], {"units": "radians"}))),
        "lat: units 'radians', expected 'degrees_north'; give the coordinates in degrees",
    ),
    "a grid without longitudes": (
        lambda: conformed(raw().drop_vars("lon")),
        "the grid has no lon; add them in degrees",
    ),
    "a time twice": (
        lambda: conformed(raw(times=HOURS[[0, 1, 1, 2]])),
        "time 2014-03-29T23:00:00 at index 2 appears twice; keep one",
    ),
    "a local clock on the day that summer time ends": (
        lambda: conformed(raw(times=AUTUMN)),
        "time 2014-10-26T02:00:00 at index 2 appears twice; keep one; a clock with daylight saving time repeats",
    ),
    "half hours of a local clock that goes back": (
        lambda: conformed(raw(times=BACK), step="30min"),
        "follows 2014-10-26T02:30:00: not sorted; sort by time; a clock with daylight saving time goes back an hour",
    ),
    "unsorted times": (
        lambda: conformed(raw(times=HOURS[[2, 0]])),
        "time 2014-03-29T22:00:00 at index 1 follows 2014-03-30T00:00:00: not sorted; sort by time",
    ),
    "local days in UTC, of 23 hours": (
        lambda: conformed(raw(times=pd.date_range("2014-03-29", periods=3, tz="Europe/Berlin", unit="ns")), step="1D"),
        "by 23:00:00, not a multiple of the step 1 day, 0:00:00; give the true step",
    ),
    "no date in a row": (
        lambda: conformed(raw(times=HOURS.where(HOURS != HOURS[2]))),
        "time: no date at index 2; remove or repair that row",
    ),
    "numbers for times": (
        lambda: conformed(raw().assign_coords(time=("time", np.arange(8), {"units": "hours since 2000-01-01"}))),
        "time: expected dates, got 8 of int64 with hours since 2000-01-01; open the file with decode_times=True",
    ),
    "no time at all": (
        lambda: conformed(raw(times=HOURS[:0])),
        "got 0 of",
    ),
    "a Julian calendar": (
        lambda: conformed(
            raw(times=xr.date_range("2001-01-01", periods=2, calendar="julian", use_cftime=True)), step="1D"
        ),
        "time: calendar 'julian'; expected standard, noleap or 360_day; use xarray's convert_calendar",
    ),
    "a fill value as data": (
        lambda: conformed(raw(-9999.0)),
        "warmth: -9999 K at index [0, 0, 0] (32 such values) looks like a fill value; declare it, missing=(-9999,)",
    ),
    "a fill value where nothing is known of the bounds": (
        lambda: conformed(raw(1e20), Variable("warmth", "K")),
        "looks like a fill value; declare it, missing=(1e+20,), or give bounds it lies within",
    ),
    "infinity": (
        lambda: conformed(raw(np.inf), Variable("warmth", "K")),
        "warmth: inf K at index [0, 0, 0] (32 such values): expected finite values within [-inf, inf] K",
    ),
    "packed integers": (
        lambda: conformed(_packed()),
        "warmth: packed numbers (int16 with add_offset, scale_factor); open the file with mask_and_scale=True",
    ),
    "text for numbers": (
        lambda: conformed(raw().assign(t2m=(("time", "lat", "lon"), np.full((8, 2, 2), "x")))),
        "warmth: expected numbers, got <U1; give spans of time in a unit",
    ),
    "Celsius declared as K": (
        lambda: conformed(raw(10.0, units="degC")),
        "warmth: the source has the units 'degC', declared are 'K'; declare units='degC', and to_units='K'",
    ),
    "Celsius that calls itself K": (
        lambda: conformed(raw(10.0)),
        "warmth: 10 K at index [0, 0, 0] (32 such values): expected finite values within [150, 350] K; correct",
    ),
    "millimetres declared as metres": (
        lambda: conformed(raw(1.0, units="mm"), Variable("rain", "m", cell_methods="time: sum")),
        "rain: the source has the units 'mm', declared are 'm'; declare units='mm'",
    ),
    "J m-2 declared as W m-2": (
        lambda: conformed(raw(3.6e6, units="J m-2"), Variable("sun", "W m-2")),
        "sun: the source has the units 'J m-2', declared are 'W m-2'",
    ),
    "an accumulation that calls itself a mean": (
        lambda: conformed(raw(3.6e6, units="J m-2"), Variable("sun", "J m-2", to_units="W m-2")),
        "and cell_methods 'time: mean' says no sum; declare cell_methods='time: sum'",
    ),
    "a missing variable": (
        lambda: conform(raw(), {"d2m": KELVIN}, step="1h", source="x"),
        "the source has no variables ['d2m']; it holds",
    ),
    "a wrong name": (
        lambda: conform(raw(), {"T2M": KELVIN, "t2n": RAIN}, step="1h", source="x"),
        "the source has no variables ['T2M', 't2n']",
    ),
    "two times": (
        lambda: conformed(
            raw().assign_coords(valid_time=HOURS[0]).rename(time="valid_time0").swap_dims(valid_time0="date")
        ),
        "the dim date has no times; add the coordinate",
    ),
    "two latitudes": (
        lambda: conformed(
            raw().drop_vars("lat").assign_coords(nav_lat=("lat", [1.0, 2.0]), gauge_lat=("lat", [1.0, 2.0]))
        ),
        "lat: ['nav_lat', 'gauge_lat'] may each be the latitude; rename the right one to 'lat'",
    ),
    "a gauge twice": (
        lambda: conformed(
            xr.Dataset({"t2m": (("time", "cell"), np.full((8, 2), 280.0))}, {"time": HOURS, "cell": ["a", "a"]})
        ),
        "cell_id: 'a' appears twice; keep one",
    ),
    "latitudes alone": (
        lambda: conformed(raw().isel(lon=0)),
        "expected the dims lat and lon, y and x, or cell, got ['lat', 'time']; rename or expand dims",
    ),
    "a second kind of places": (
        lambda: conformed(raw().rename(lat="site", lon="gauge")),
        "the dims ['gauge', 'site'] may each be the places; rename the right one to 'cell'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_values_and_the_repair(case):
    make, said = REFUSED[case]
    with pytest.raises(DataError) as caught:
        make()
    assert said in str(caught.value)
