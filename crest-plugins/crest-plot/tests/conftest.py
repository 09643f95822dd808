"""Fixtures: small runs whose values are known, and the command `crest`."""

from importlib.metadata import entry_points

import numpy as np
import pytest
import xarray as xr

from crest_core.plugins import registry

DAYS = 800


@pytest.fixture
def times():
    """Days from 2001-01-01."""
    return np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")


@pytest.fixture
def run(times):
    """Two catchments: discharge, precipitation, soil moisture of three layers, and an elevation without time."""
    day = np.arange(DAYS, dtype=float)
    discharge = np.stack([2.0 + np.sin(day / 58.1), 4.0 + np.cos(day / 58.1)], axis=1)
    soil = 0.3 + 0.01 * np.arange(3)[None, :, None] + 0.1 * np.sin(day / 58.1)[:, None, None] * np.ones((1, 1, 2))
    bounds = np.stack([times, times + np.timedelta64(1, "D")], axis=1)
    flux = {"units": "kg m-2 s-1", "standard_name": "precipitation_flux", "cell_methods": "time: mean"}
    flow = {"units": "mm day-1", "long_name": "discharge at the outlet", "cell_methods": "time: mean"}
    moisture = {"units": "1", "long_name": "soil moisture", "cell_methods": "time: point"}
    return xr.Dataset(
        {
            "discharge": (("time", "cell"), discharge, flow),
            "rain": (("time", "cell"), np.tile((day[:, None] % 5 == 0) / 8640.0, (1, 2)), flux),
            "soil_moisture": (("time", "soil_layer", "cell"), soil, moisture),
            "elevation": ("cell", [240.0, 800.0], {"units": "m", "long_name": "mean elevation"}),
        },
        {
            "time": ("time", times, {"bounds": "time_bnds"}, {"units": "days since 2001-01-01"}),
            "time_bnds": (("time", "bnds"), bounds),
            "time_end": ("time", bounds[:, 1]),
            "soil_layer": ("soil_layer", [0.05, 0.2, 0.6], {"units": "m", "axis": "Z", "bounds": "soil_layer_bnds"}),
            "soil_layer_bnds": (("soil_layer", "bnds"), [[0.0, 0.1], [0.1, 0.3], [0.3, 0.9]]),
            "cell_id": ("cell", ["upper", "lower"]),
            "lat": ("cell", [50.5, 49.0], {"units": "degrees_north"}),
            "lon": ("cell", [8.5, 7.0], {"units": "degrees_east"}),
        },
    )


@pytest.fixture
def grid(times):
    """Temperature on a grid of 4 x 6 half degrees, missing in one corner."""
    lat, lon = 50.25 + 0.5 * np.arange(4), 5.25 + 0.5 * np.arange(6)
    values = np.arange(20.0)[:, None, None] + lat[None, :, None] + 0.0 * lon
    values[:, 0, 0] = np.nan
    return xr.Dataset(
        {"warmth": (("time", "y", "x"), values, {"units": "degC", "long_name": "warmth of the air"})},
        {"time": times[:20], "lat": ("y", lat, {"units": "degrees_north"}), "lon": ("x", lon)},
    )


@pytest.fixture
def many(times):
    """Forty cells without coordinates, of values 0 to 39, one of them missing on the first day."""
    values = np.tile(np.arange(40.0), (30, 1))
    values[0, 39] = np.nan
    return xr.Dataset({"level": (("time", "cell"), values, {"units": "m"})}, {"time": times[:30]})


@pytest.fixture
def file(run, tmp_path):
    """The run as a NetCDF file."""
    path = tmp_path / "results.nc"
    run.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.fixture
def crest(capsys, tmp_path, monkeypatch):
    """Run `crest` in an empty folder and return exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREST_TRACEBACK", raising=False)
    registry.cache_clear()
    (script,) = entry_points(group="console_scripts", name="crest")
    main = script.load()

    def crest(*words):
        with pytest.raises(SystemExit) as end:
            main(list(map(str, words)))
        return end.value.code or 0, *capsys.readouterr()

    yield crest
    registry.cache_clear()
