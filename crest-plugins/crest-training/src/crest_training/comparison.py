"""Comparison: what a model simulated beside what was observed, and beside baselines that know no weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import xarray as xr

from crest_core import (
    Component,
    CrestError,
    ForcingError,
    conversion,
    from_xarray_time,
    parse_time,
    parse_timestep,
    simulate,
)
from crest_training.climatology import day_of_year_climatology
from crest_training.mixture import Mixture, mixture_of, part_names
from crest_training.observation import Observation

CLIMATOLOGY, PERSISTENCE, MODEL = "climatology", "persistence", "model"
_WATER = 1000.0  # kg m-3, where depths and masses of water are compared


@dataclass(frozen=True)
class Comparison:
    """Series of one output at all places, all (time, *places) in the same units."""

    output: str
    observed: xr.DataArray
    """nan where nothing was observed."""
    simulated: Mapping[str, xr.DataArray]
    """By their source: "model" (of an ensemble: the mean of its members), "climatology", "persistence"."""
    members: xr.DataArray | None = None
    """(time, member, *places) of an ensemble."""
    mixture: Mixture | None = None
    """What the model says of its error: the distribution at each time and place."""

    @property
    def units(self) -> str:
        """Units of all values."""
        return str(self.observed.attrs["units"])


def compare(
    model: Component | Sequence[Component] | xr.Dataset,
    forcing: xr.Dataset | None,
    observation: Observation,
    *,
    start: Any,
    end: Any,
    spin_up: str | timedelta = "0D",
    training: tuple[Any, Any] | None = None,
    units: str = "",
    lead: int = 1,
    mixture: str = "",
) -> Comparison:
    """Return simulated and observed values of [start, end), and those of the baselines.

    `model` is a component, several (an ensemble), or what was simulated already (then without forcing; the dim `member`
    makes an ensemble). It runs on from `spin_up` before the start. The climatology is the mean by the day of the year
    of the observations in `training`, a period apart from [start, end), and of nothing else; without it there is none.
    Persistence is the last observation that is at least `lead` steps old: it knows what a simulation without
    assimilation does not. `mixture` is the prefix of the outputs of a head, `<mixture>_location`, `_scale`, `_weight`
    and perhaps `_asymmetry`; those of an ensemble count alike. Units are those of the model by default. Times of the
    observations are those of the model, all of them: nothing is aligned unsaid.
    """
    output = observation.output
    simulated = model if isinstance(model, xr.Dataset) else _run(model, forcing, output, start, end, spin_up, mixture)
    if output not in simulated:
        raise ForcingError(f"evaluation: the model has no output {output!r}; outputs: {', '.join(map(str, simulated))}")
    values = _within(simulated[output], start, end)
    units = units or str(values.attrs.get("units", ""))
    places = [dim for dim in values.dims if dim not in ("time", "member")]
    known = _in_units(_like(observation, places), units, f"observation {output}")
    values = _in_units(values, units, f"output {output}").transpose("time", ..., *places)
    observed = _at(known, values, output)
    members = values if "member" in values.dims else None
    mean = values if members is None else values.mean("member", keep_attrs=True)
    found = {MODEL: mean.drop_vars("member", errors="ignore")}
    if training is not None:
        found[CLIMATOLOGY] = _climatology(known, observed, training, start, end)
    found[PERSISTENCE] = _persistence(known, observed, lead)
    if not mixture:
        return Comparison(output, observed, found, members)
    parts = simulated[list(part_names([str(name) for name in simulated], mixture).values())]
    parts = parts.map(_within, keep_attrs=True, args=(start, end))
    return Comparison(output, observed, found, members, mixture_of(parts, mixture, places, units))


def _run(
    model: Component | Sequence[Component],
    forcing: xr.Dataset | None,
    output: str,
    start: Any,
    end: Any,
    spin_up: str | timedelta,
    mixture: str,
) -> xr.Dataset:
    """Return the outputs of one model, or of many along the dim `member`."""
    if forcing is None:
        raise ForcingError("evaluation: forcing is None; a model needs forcing, only a Dataset of outputs does not")
    calendar = str(forcing["time"].dt.calendar).replace("proleptic_gregorian", "standard")
    none = spin_up in ("0D", timedelta(0))
    first = start if none else parse_time(start, calendar) - parse_timestep(spin_up)
    models = [model] if isinstance(model, Component) else list(model)
    if not models:
        raise ForcingError("evaluation: the ensemble has no member; give one model or more")
    runs: list[xr.Dataset] = []
    for one in models:
        names = [spec.name for spec in one.outputs]
        if output not in names:
            raise ForcingError(f"evaluation: the model has no output {output!r}; outputs: {', '.join(names)}")
        wanted = [output, *(part_names(names, mixture).values() if mixture else ())]
        runs.append(simulate(one, forcing, start=first, end=end, outputs=wanted, progress=False)[wanted])
    if isinstance(model, Component):
        return runs[0]
    return xr.concat(
        runs, "member", join="exact", combine_attrs="override", coords="minimal", compat="override", data_vars="all"
    )


def _within(values: xr.DataArray, start: Any, end: Any) -> xr.DataArray:
    calendar = _calendar(values)
    dates = from_xarray_time(values["time"].values, calendar)
    chosen = (dates >= parse_time(start, calendar)) & (dates < parse_time(end, calendar))
    if not chosen.any():
        raise ForcingError(
            f"evaluation: no time of {values.name} lies in [{start}, {end}); it has {dates[0].isoformat()} to "
            f"{dates[-1].isoformat()}; move the period or simulate it"
        )
    return values.isel(time=chosen)


def _calendar(values: xr.DataArray) -> str:
    return str(values["time"].dt.calendar).replace("proleptic_gregorian", "standard")


def _like(observation: Observation, places: list[Any]) -> xr.DataArray:
    data = observation.data
    if set(data.dims) != {"time", *places}:
        raise ForcingError(
            f"observation {observation.output}: expected the dims {sorted(['time', *map(str, places)])}, got "
            f"{data.dims}; select or expand dims"
        )
    return data.transpose("time", *places)


def _in_units(values: xr.DataArray, units: str, who: str) -> xr.DataArray:
    """Return values in units, as float64; depths and masses of water count as the same at 1000 kg m-3."""
    own = str(values.attrs.get("units", ""))
    if not own:
        raise ForcingError(f"{who}: attrs['units'] is missing; expected units that convert to {units!r}")
    try:
        change = conversion(own, units, _WATER)
    except CrestError as error:
        raise ForcingError(f"{who}: {error}") from error
    changed = values.astype(np.float64) * change.scale + change.offset
    return changed.assign_attrs(values.attrs | {"units": units}).rename(values.name)


def _same(here: np.ndarray, there: np.ndarray) -> bool:
    """Whether coordinates are equal: names and whole numbers exactly, others to rounding in float32."""
    if here.shape != there.shape:
        return False
    if "f" in (kinds := here.dtype.kind + there.dtype.kind) and set(kinds) <= set("fiu"):
        return bool(np.allclose(here, there, rtol=1e-5, atol=1e-5, equal_nan=True))
    return bool(np.array_equal(here.astype(str), there.astype(str)))


def _at(known: xr.DataArray, values: xr.DataArray, output: str) -> xr.DataArray:
    """Return the observations at the times and places of the model."""
    index = known.get_index("time")
    if not index.is_unique:
        raise ForcingError(f"observation {output}: times are there more than once; drop or average what is double")
    where = index.get_indexer(values.get_index("time"))
    if (where < 0).any():
        missing = values["time"].values[where < 0]
        raise ForcingError(
            f"observation {output}: {len(missing)} of {len(where)} times are missing, the first {missing[0]}; give "
            f"every time of the period, nan where nothing was observed"
        )
    for name in sorted(set(known.coords) & set(values.coords), key=str):
        if "time" in known.coords[name].dims:
            continue
        here, there = known.coords[name].values, values.coords[name].values
        if not _same(here, there):
            raise ForcingError(
                f"observation {output}: {name} differs from that of the model; bring both into one order"
            )
    sizes = [one.sizes[dim] for one in (known, values) for dim in known.dims if dim != "time"]
    if sizes[: len(sizes) // 2] != sizes[len(sizes) // 2 :]:
        raise ForcingError(
            f"observation {output}: it has {dict(known.sizes)} values, the model {dict(values.sizes)}; select the same "
            f"places"
        )
    chosen = known.isel(time=where)
    if not chosen.notnull().any():
        raise ForcingError(f"observation {output}: nothing is observed in the period; move it")
    whole = values.isel(member=0, drop=True) if "member" in values.dims else values
    return whole.copy(data=chosen.values).assign_attrs(known.attrs)


def _climatology(
    known: xr.DataArray, observed: xr.DataArray, training: tuple[Any, Any], start: Any, end: Any
) -> xr.DataArray:
    calendar = _calendar(observed)
    first, stop, begin, finish = (parse_time(one, calendar) for one in (*training, start, end))
    if first < finish and begin < stop:
        raise ForcingError(
            f"evaluation: the training period {training[0]} to {training[1]} overlaps the evaluated one, {start} to "
            f"{end}; a baseline must not know what is evaluated"
        )
    usual = day_of_year_climatology(_within(known, *training), observed["time"])
    return observed.copy(data=usual.values)


def _persistence(known: xr.DataArray, observed: xr.DataArray, lead: int) -> xr.DataArray:
    """Return the last observation up to `lead` steps before each time."""
    values = known.values
    row = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, row), axis=0)
    held = np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)
    where = known.get_index("time").get_indexer(observed.get_index("time")) - lead
    chosen = np.where((where >= 0).reshape(row[: len(where)].shape), held[np.maximum(where, 0)], np.nan)
    return observed.copy(data=chosen)
