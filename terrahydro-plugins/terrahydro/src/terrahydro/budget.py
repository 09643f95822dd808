"""Where the water of a run went, step by step, and what no term explains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from crest_core import ForcingError, conversion

AMOUNT = "kg m-2"
RATE = "kg m-2 day-1"
WATER_DENSITY = 1000.0  # kg m-3
STORES = {"snow": "surface_snow_amount", "groundwater": "groundwater", "channel": "channel_water"}


def water_budget(results: xr.Dataset, forcing: xr.Dataset) -> xr.Dataset:
    """Return the water budget (time, cell) of a run of the twin in kg m-2 per step, its residual included.

    precipitation + snowfall_correction - evapotranspiration - runoff - d(snow) - d(soil) - d(groundwater) - d(channel)
    = residual. The residual is the sum of those of the parts: residual_snow = precipitation + snowfall_correction -
    liquid_water - d(snow); residual_soil = liquid_water - evapotranspiration - drained - d(soil) - d(groundwater), with
    `drained` the surface and subsurface runoff of the soil; residual_streamflow = drained - runoff - d(channel). Where
    the soil hands over no runoff, the last two are one: residual_soil_and_streamflow. Stores that a part does not have
    count as unchanged. The first step is left out, for what was stored before it is not among the results.
    """
    _check_places(results, forcing)
    days = _days(results)
    terms = _fluxes(results, forcing, days)
    changes = _changes(results)
    terms = {name: values[1:] for name, values in terms.items()} | changes
    zero = np.zeros_like(terms["precipitation"])
    d_snow, d_channel = changes.get("d_snow", zero), changes.get("d_channel", zero)
    d_ground = changes.get("d_soil", zero) + changes.get("d_groundwater", zero)
    gained = terms["precipitation"] + terms["snowfall_correction"]
    parts = {"residual_snow": gained - terms["liquid_water"] - d_snow}
    wet = terms["liquid_water"] - terms["evapotranspiration"] - d_ground
    if "drained" in terms:
        parts["residual_soil"] = wet - terms["drained"]
        parts["residual_streamflow"] = terms["drained"] - terms["runoff"] - d_channel
    else:
        parts["residual_soil_and_streamflow"] = wet - terms["runoff"] - d_channel
    total = gained - terms["evapotranspiration"] - terms["runoff"] - d_snow - d_ground - d_channel
    found = terms | parts | {"residual": total}
    dims = ("time", "cell")
    budget = xr.Dataset({name: (dims, values, {"units": AMOUNT, "cell_methods": "time: sum"})
                         for name, values in found.items()})  # fmt: skip
    kept = {name: one for name, one in results.coords.items() if set(one.dims) <= set(dims) and name != "time_end"}
    budget = budget.assign_coords({name: one.isel(time=slice(1, None)) if "time" in one.dims else one
                                   for name, one in kept.items()})  # fmt: skip
    return budget.assign_attrs(Conventions="CF-1.11", title="Water budget of a run", source="terrahydro.water_budget")


def totals(budget: xr.Dataset) -> pd.DataFrame:
    """Return the sums of each calendar year [kg m-2], a row a year, means over cells; the first year lacks a step."""
    means = budget.mean("cell")
    years = pd.Index(means["time"].dt.year.values)  # in any calendar
    table = pd.DataFrame({str(name): means[name].values for name in means.data_vars}, index=years)
    return table.groupby(level=0).sum()


def residuals(budget: xr.Dataset) -> pd.DataFrame:
    """Return of each residual the largest size in a step, its date, and the root mean square [kg m-2], over all cells.

    A row a residual; the sign of the largest is kept. Sums of years hide what a step takes and the next gives back.
    """
    rows = {}
    for name in (str(name) for name in budget.data_vars if str(name).startswith("residual")):
        values = budget[name].transpose("time", "cell").values
        step, cell = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        rows[name] = {"largest": float(values[step, cell]), "on": str(budget["time"].values[step])[:10],
                      "rms": float(np.sqrt(np.mean(values**2)))}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def _fluxes(results: xr.Dataset, forcing: xr.Dataset, days: float) -> dict[str, np.ndarray]:
    """Return what flows, per step."""
    rain = _needed(forcing, "precipitation_flux", "the forcing").sel(time=results["time"])
    taken = "soil_evapotranspiration" if "soil_evapotranspiration" in results else "evapotranspiration"
    melted = "liquid_water_flux" if "liquid_water_flux" in results else None
    terms = {
        "precipitation": _rate(rain) * days,
        "liquid_water": (_rate(results[melted]) if melted else _rate(rain)) * days,
        "evapotranspiration": _rate(_needed(results, taken)) * days,
        "runoff": _rate(_needed(results, "runoff_flux")) * days,
    }
    correction = "snowfall_correction"
    terms[correction] = _rate(results[correction]) * days if correction in results else 0.0 * terms["precipitation"]
    if "surface_runoff" in results and "subsurface_runoff" in results:
        terms["drained"] = (_rate(results["surface_runoff"]) + _rate(results["subsurface_runoff"])) * days
    return terms


def _changes(results: xr.Dataset) -> dict[str, np.ndarray]:
    """Return what each store gained in a step, from the second step on."""
    stored = {name: _in(AMOUNT)(results[field]) for name, field in STORES.items() if field in results}
    if "soil_moisture" in results:
        thickness = _needed(results, "soil_layer_bnds").diff("bnds").isel(bnds=0, drop=True)
        moisture = _converted(results["soil_moisture"], "1")
        water = (moisture * thickness).sum("soil_layer", skipna=False) * WATER_DENSITY
        stored["soil"] = water.transpose("time", "cell").values.astype(np.float64)
    return {f"d_{name}": np.diff(values, axis=0) for name, values in stored.items()}


def _in(units: str) -> Callable[[xr.DataArray], np.ndarray]:
    def values(field: xr.DataArray) -> np.ndarray:
        return _converted(field, units).transpose("time", "cell").values

    return values


_rate = _in(RATE)


def _converted(field: xr.DataArray, units: str) -> xr.DataArray:
    if "units" not in field.attrs:
        raise ForcingError(f"water budget: {field.name} has no attribute units; set it to units as {units!r}")
    change = conversion(str(field.attrs["units"]), units)
    return field.copy(data=np.asarray(change(field.values.astype(np.float64))))


def _needed(data: xr.Dataset, name: str, where: str = "the results") -> xr.DataArray:
    if name not in data:
        raise ForcingError(f"water budget: no {name} in {where}; they hold {sorted(map(str, data))}")
    field: xr.DataArray = data[name]
    return field


def _check_places(results: xr.Dataset, forcing: xr.Dataset) -> None:
    """Raise ForcingError where rain and results are not those of the same cells and days."""
    if more := sorted(set(map(str, results.dims)) & {"member", "sample"}):
        raise ForcingError(f"water budget: results of several {more}; choose one, as results.isel({more[0]}=0)")
    rain = _needed(forcing, "precipitation_flux", "the forcing")
    if set(rain.dims) != {"time", "cell"} or rain.sizes["cell"] != results.sizes["cell"]:
        raise ForcingError(f"water budget: precipitation_flux has {dict(rain.sizes)}; expected time and "
                           f"{results.sizes['cell']} along cell, as the results have")  # fmt: skip
    named = [one["cell_id"].values.tolist() for one in (results, forcing) if "cell_id" in one]
    if len(named) == 2 and named[0] != named[1]:
        raise ForcingError(f"water budget: cells {named[0]} in the results, {named[1]} in the forcing; give both the "
                           "same cells in the same order")  # fmt: skip
    if not np.isin(results["time"].values, rain["time"].values).all():
        raise ForcingError("water budget: results of days that the forcing lacks; give the forcing of the run")


def _days(results: xr.Dataset) -> float:
    """Return the length of a step [day]."""
    steps = np.unique(np.diff(results["time"].values))
    if len(steps) != 1:
        raise ForcingError(f"water budget: {len(steps)} lengths of a step in the results; expected two steps or more, "
                           "all of one length")  # fmt: skip
    days = pd.Timedelta(steps[0]) / pd.Timedelta("1D")
    if "time_bnds" in results.variables:
        first, end = results["time_bnds"].values[0]
        if pd.Timedelta(end - first) != pd.Timedelta(steps[0]):
            raise ForcingError(f"water budget: steps of {pd.Timedelta(end - first)} every {pd.Timedelta(steps[0])}; "
                               "give all steps of the run, one after another")  # fmt: skip
    return float(days)
