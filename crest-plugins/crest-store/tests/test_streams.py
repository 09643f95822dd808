"""Streams of history: statistics as xarray makes them, whatever the windows are, with true labels and methods."""

import warnings

import cftime
import numpy as np
import pytest
import torch
import xarray as xr
from crest_store import Box, IcechunkArchive, Stream, StreamError, open_run

from crest_core import Clock, simulate

STATE = {"water": torch.ones(2)}


def outputs(days=70, start="2001-01-10", cells=5, calendar="standard", step="1D", method="mean"):
    """Return what a run gives, of random numbers with a cell that is always missing."""
    end = cftime.datetime.strptime(start, "%Y-%m-%d", calendar=calendar)
    clock = Clock(start, (end + days * np.timedelta64(1, "D").astype(object)).isoformat(), step, calendar)
    values = np.random.default_rng(1).normal(20, 5, (len(clock), cells)).astype(np.float32)
    values[:, -1] = np.nan
    bounds = clock.bounds
    if calendar == "standard":
        bounds = np.array([[time.isoformat() for time in row] for row in bounds], dtype="datetime64[ns]")
    field = xr.Variable(("time", "cell"), values, {"units": "K", "cell_methods": f"time: {method}"})
    return xr.Dataset(
        {"heat": field},
        {
            "time": bounds[:, 0],
            "time_end": ("time", bounds[:, 1]),
            "time_bnds": (("time", "bnds"), bounds),
            "lat": ("cell", np.linspace(40.0, 44.0, cells)),
            "lon": ("cell", np.linspace(-10.0, 10.0, cells)),
            "cell_id": ("cell", [f"site-{number}" for number in range(cells)]),
        },
    )


def written(path, data, cuts, calendar="standard", **streams):
    """Return the streams of a run whose windows end at the steps `cuts`."""
    edges = [0, *cuts, data.sizes["time"]]
    with IcechunkArchive(path, history=streams) as archive:
        for first, stop in zip(edges[:-1], edges[1:], strict=True):
            window = data.isel(time=slice(first, stop))
            times = {"start": str(window["time_bnds"].values[0, 0]), "time": str(window["time_bnds"].values[-1, 1])}
            archive.commit(window, STATE, {**times, "calendar": calendar})
        return {name: archive.open(name).load() for name in streams}


@pytest.mark.parametrize("statistic", ["mean", "min", "max"])
@pytest.mark.parametrize("every", ["1MS", "5D", "1D"])
def test_a_statistic_is_that_of_xarray(tmp_path, every, statistic):
    data = outputs()
    found = written(tmp_path / "run", data, [7, 8, 40], own=Stream(every=every, statistic=statistic))["own"]
    origin = {} if every == "1MS" else {"origin": "2000-01-01"}
    resampled = getattr(data["heat"].astype(float).resample(time=every, **origin), statistic)(skipna=False)
    complete = found.sizes["time"]
    assert 0 <= resampled.sizes["time"] - complete <= 1
    tolerance = 1e-7 if statistic == "mean" else 0
    np.testing.assert_allclose(found["heat"], resampled[:complete], rtol=tolerance)
    assert found["heat"].dtype == np.float32
    starts = found["time_bnds"].values[:, 0]
    assert (starts == found["time"].values).all() and starts[0] == data["time"].values[0]
    assert (found["time_bnds"].values[1:, 0] == found["time_bnds"].values[:-1, 1]).all()


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_rows_do_not_depend_on_the_windows_in_any_calendar(tmp_path, calendar):
    streams = {
        "monthly": Stream(every="1MS", statistic="mean"),
        "yearly": Stream(every="1YS", statistic="max"),
        "pentads": Stream(every="5D", statistic="mean"),
    }
    data = outputs(days=800, start="2003-11-20", calendar=calendar, cells=2)
    one = written(tmp_path / "one", data, [], calendar, **streams)
    many = written(tmp_path / "many", data, [1, 2, 30, 41, 333, 700], calendar, **streams)
    for name in streams:
        xr.testing.assert_identical(one[name].drop_attrs(), many[name].drop_attrs())
    days = {"standard": 29, "noleap": 28, "360_day": 30}[calendar]  # of February 2004
    february = one["monthly"].isel(time=3)
    assert (february["time_bnds"].values[1] - february["time_bnds"].values[0]) / np.timedelta64(1, "D") == days
    assert one["yearly"].sizes["time"] == 3  # part of 2003, 2004, 2005; 2006 is not complete


def test_an_incomplete_interval_is_not_shown_until_it_is_complete(tmp_path):
    data = outputs(days=40, start="2001-01-01")
    stream = Stream(every="1MS", statistic="mean")
    first = written(tmp_path / "a", data.isel(time=slice(0, 30)), [], own=stream)["own"]
    assert first.sizes == {"time": 0, "cell": 5, "bnds": 2}
    assert written(tmp_path / "b", data, [30], own=stream)["own"].sizes["time"] == 1


def test_an_interval_that_a_run_leaves_incomplete_is_told_and_completed_when_it_goes_on(tmp_path, small, caplog):
    streams = {"daily": Stream(), "monthly": Stream(fields=("runoff",), every="1MS", statistic="mean")}
    with IcechunkArchive(tmp_path / "run", history=streams) as archive:
        small.run(archive, "2001-02-14")
    (note,) = [one.getMessage() for one in caplog.records]
    assert note == (
        f"run {tmp_path / 'run'}, stream monthly: the interval from 2001-02-01T00:00:00 has 13 steps up to "
        f"2001-02-14T00:00:00 and is not complete: history leaves it out, a run that goes on from here completes it"
    )
    assert open_run(tmp_path / "run").incomplete() == {"monthly": ("2001-02-01T00:00:00", 13)}
    caplog.clear()
    with IcechunkArchive(tmp_path / "run") as archive:
        archive.open()  # nothing is committed, nothing is told
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, "2001-03-01", resume=True)
    assert caplog.records == [] and open_run(tmp_path / "run").incomplete() == {}
    run = open_run(tmp_path / "run")
    daily = run.history("daily")["runoff"].sel(time=slice("2001-02-01", "2001-02-28")).mean("time")
    np.testing.assert_allclose(run.history("monthly")["runoff"][1], daily, rtol=1e-6)


def test_an_interval_that_is_left_incomplete_without_with_is_told_on_close(tmp_path, small, caplog):
    archive = IcechunkArchive(tmp_path / "run", history={"own": Stream(every="1MS", statistic="max")})
    small.run(archive, small.ends[0])
    assert caplog.records == []
    archive.close()
    archive.close()
    (note,) = [one.getMessage() for one in caplog.records]
    assert "stream own: the interval from 2001-01-01T00:00:00 has 4 steps" in note


@pytest.mark.parametrize(
    "method, statistic, step, expected",
    [
        ("mean", "mean", "1D", "time: mean"),
        ("mean", "max", "1D", "time: mean time: maximum (interval: 1 day)"),
        ("point", "mean", "6h", "time: mean (interval: 6 hours)"),
        ("point", "min", "1D", "time: minimum (interval: 1 day)"),
        ("maximum", "max", "1D", "time: maximum"),
        ("minimum", "mean", "1h", "time: minimum time: mean (interval: 1 hour)"),
        ("sum", "sum", "1D", "time: sum"),
        ("point", "instant", "1D", "time: point"),
    ],
)
def test_cell_methods_say_what_was_done(tmp_path, method, statistic, step, expected):
    data = outputs(days=10, step=step, method=method)
    stream = Stream(every="5D", statistic=statistic)
    found = written(tmp_path / "run", data, [3], own=stream)["own"]
    assert found["heat"].attrs["cell_methods"] == expected
    assert ("time_end" in found.coords) == (statistic == "instant")
    if statistic == "instant":
        last = data["heat"].where(data["time_end"] == found["time_end"].values[0], drop=True)
        np.testing.assert_array_equal(found["heat"][0], last[0])


@pytest.mark.parametrize(
    "method, statistic, words",
    [
        (
            "mean",
            "sum",
            "sum of .*heat, whose values are 'time: mean', has no meaning: take mean: mean times the length",
        ),
        ("point", "sum", "sum of .* has no meaning: take mean"),
        ("sum", "mean", "an amount of one step, not of the interval; sum"),
        ("mean", "instant", "its values hold for a whole step; take mean"),
    ],
)
def test_a_statistic_without_a_meaning_is_refused(tmp_path, method, statistic, words):
    with pytest.raises(StreamError, match=words):
        written(tmp_path / "run", outputs(10, method=method), [], own=Stream(every="5D", statistic=statistic))


def test_a_region_is_a_box_or_cells(tmp_path):
    found = written(
        tmp_path / "run",
        outputs(10),
        [4],
        box=Stream(region=Box(40.5, 43.5, -6, 10)),
        around=Stream(region=Box(-90, 90, 5, -5)),
        cells=Stream(region=("site-3", "site-0")),
    )
    assert found["box"]["cell_id"].values.tolist() == ["site-1", "site-2", "site-3"]
    assert found["around"]["cell_id"].values.tolist() == ["site-0", "site-1", "site-3", "site-4"]
    assert found["cells"]["lat"].values.tolist() == [43.0, 40.0]
    for region, words in [
        (Box(0, 1, 0, 1), "holds no place; lat 40 to 44, lon -10 to 10"),
        (("site-9",), r"cells \['site-9'\] do not exist; cell_id: site-0, site-1"),
    ]:
        with pytest.raises(StreamError, match=words):
            written(tmp_path / "none", outputs(10), [], own=Stream(region=region))


def test_cells_that_are_there_or_asked_for_twice_are_refused(tmp_path):
    ids = ["a", "b", "c", "b", "a"]
    twice = outputs(10).assign_coords(cell_id=("cell", ids))
    with pytest.raises(
        StreamError, match="cell_id 'b' stands at positions 1 and 3, .*; give each cell an id of its own"
    ):
        written(tmp_path / "run", twice, [], own=Stream(region=("c", "b")))
    assert written(tmp_path / "run", twice, [], own=Stream(region=("c",)))["own"].sizes["cell"] == 1
    with pytest.raises(StreamError, match="cell 'site-1' is asked for at positions 0 and 2; name it once"):
        written(tmp_path / "asked", outputs(10), [], own=Stream(region=("site-1", "site-0", "site-1")))


@pytest.mark.parametrize(
    "west, east, inside",
    [
        (170, 180, [170, 180]),
        (-180, -90, [180, -90]),
        (170, -90, [170, 180, -90]),
        (180, 180, [180]),
        (-180, -180, [180]),
        (170, 170, [170]),
        (-180, 180, [-90, 0, 0.1, 170, 180]),
        (0.1, -90, [0.1, 170, 180, -90]),
        (-90, 0.1, [-90, 0, 0.1]),
        (10, 0, [-90, 0, 170, 180]),
    ],
)
@pytest.mark.parametrize("first", [-180, 0], ids=["from -180", "from 0"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_box_goes_east_and_knows_one_antimeridian(tmp_path, west, east, inside, first, kind):
    places = [-180, -90, 0, 0.1, 170] if first else [0, 0.1, 170, 180, 270]
    data = outputs(10).assign_coords(lon=("cell", np.array(places, dtype=kind)))
    found = written(tmp_path / "run", data, [], own=Stream(region=Box(-90, 90, west, east)))["own"]
    same = {-90: 270} if first == 0 else {180: -180}
    expected = np.array([same.get(one, one) for one in inside], dtype=kind)
    assert sorted(found["lon"].values.tolist()) == sorted(expected.tolist())


def test_a_box_may_be_a_parallel(tmp_path):
    found = written(tmp_path / "run", outputs(10), [], own=Stream(region=Box(42, 42, -180, 180)))["own"]
    assert found["lat"].values.tolist() == [42.0]


@pytest.mark.parametrize(
    "stream, words",
    [
        (
            Stream(every="36h", statistic="mean"),
            "every '36h' cuts the step from 2001-01-11T00:00:00 to 2001-01-12T00:00:00",
        ),
        (Stream(fields=("cold",)), r"fields \['cold'\] do not exist; the run has heat"),
    ],
)
def test_a_stream_that_does_not_fit_the_run_is_refused(tmp_path, stream, words):
    with pytest.raises(StreamError, match=words):
        written(tmp_path / "run", outputs(10), [], own=stream)


def test_appending_equal_windows_rewrites_no_chunk(tmp_path):
    data = outputs(days=40, cells=300)
    written(tmp_path / "run", data, [10, 20, 30], own=Stream())
    array = open_run(tmp_path / "run").root["history/own/heat"]
    assert array.chunks == (10, 300)
    assert [codec["name"] for codec in array.metadata.to_dict()["codecs"]] == ["bytes", "zstd", "crc32c"]
    chunks = [path for path in (tmp_path / "run" / "chunks").iterdir() if path.stat().st_size > 5000]
    assert len(chunks) == 4


def test_the_places_of_a_run_do_not_change(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        first = simulate(small.graph(), small.weather, end="2001-01-05")
        days = {"start": "2001-01-01T00:00:00", "time": "2001-01-05T00:00:00", "calendar": "standard"}
        archive.commit(first, STATE, days)
        moved = simulate(small.graph(), small.weather.isel(time=slice(4, 8)))
        moved = moved.assign_coords(lat=moved["lat"] + 1)
        with pytest.raises(OSError, match="the places or layers of this window are not those written so far"):
            archive.commit(moved, STATE, {**days, "start": days["time"], "time": "2001-01-09T00:00:00"})
        assert archive.open().sizes["time"] == 4


def test_windows_with_gaps_or_without_bounds_are_refused(tmp_path):
    data = outputs(10)
    for broken, words in [
        (data.drop_vars("time_bnds"), "have no steps with time_bnds"),
        (data.isel(time=[0, 2]), "do not follow each other; there is a gap"),
        (data.assign_coords(time_bnds=data["time_bnds"].where(data["lat"][0] > 90)), "is missing"),
    ]:
        with IcechunkArchive(tmp_path / "run") as archive, pytest.raises(StreamError, match=words):
            archive.commit(broken, STATE, {"start": "2001-01-10", "time": "2001-01-20", "calendar": "standard"})


def test_text_is_written_and_read_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = written(tmp_path / "run", outputs(10), [4], own=Stream())["own"]
    assert found["cell_id"].values.tolist() == [f"site-{number}" for number in range(5)]
