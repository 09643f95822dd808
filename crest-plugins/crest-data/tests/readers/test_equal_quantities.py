"""One standard name is one quantity in all readers: one direction is positive, one height is that of the weather."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import crest_data
import numpy as np
import xarray as xr
from crest_data import readers
from crest_data.convention import conform
from crest_data.readers.caravan_variables import DAILY
from crest_data.readers.era5_variables import ERA5
from crest_data.readers.smap_conus import _SERIES
from crest_data.variable import Variable

from crest_core import FieldSpec, Graph, StepComponent, default_dictionary, simulate

HEIGHTS = {"t2m": 2.0, "d2m": 2.0, "u10": 10.0, "v10": 10.0}  # m


def variables(held: object) -> Iterator[Variable]:
    if isinstance(held, Variable):
        yield held
    elif isinstance(held, dict | list | tuple):
        for one in held.values() if isinstance(held, dict) else held:
            yield from variables(one)


def all_variables():
    modules = [import_module(f"crest_data.readers.{one.name}") for one in iter_modules(readers.__path__)]
    modules += [import_module(f"{crest_data.__name__}.{name}") for name in ("fulda", "overpasses")]
    return [(module.__name__, one) for module in modules for held in vars(module).values() for one in variables(held)]


def test_every_reader_counts_a_flux_as_the_dictionary_of_fields_does():
    found, dictionary = all_variables(), default_dictionary()
    assert len(found) > 300
    faults = [
        (module, one.name, one.positive, entry.positive)
        for module, one in found
        if (entry := dictionary.get(one.standard_name)) is not None and one.positive != entry.positive
    ]
    assert faults == []


def test_weather_of_era5_is_at_the_heights_that_caravan_and_nldas_have_it():
    for name, height in HEIGHTS.items():
        assert ERA5[name].vertical == (height, height)
    told: dict[str, set[tuple[float, float]]] = {}
    for one in (*ERA5.values(), *DAILY.values(), *_SERIES.values()):
        if one.vertical is not None and not one.standard_name.endswith(("soil", "soil_temperature")):
            told.setdefault(one.standard_name, set()).add(one.vertical)
    assert told["air_temperature"] == {(2.0, 2.0)} and told["eastward_wind"] == {(10.0, 10.0)}
    assert {name for name, extents in told.items() if len(extents) > 1} == set()


def test_no_two_fields_of_a_moment_of_era5_share_a_standard_name_but_layers_of_soil():
    names = [one.standard_name for one in ERA5.values() if one.standard_name and "soil" not in one.standard_name]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert ERA5["lai_lv"].standard_name == ERA5["lai_hv"].standard_name == ""


class Thermometer(StepComponent):
    """Shows the temperature of the air; at which height is not asked."""

    inputs = (FieldSpec(name="warmth", units="K", standard_name="air_temperature", cell_methods="time: point"),)
    outputs = (FieldSpec(name="shown", units="K", cell_methods="time: point"),)
    timestep = "1h"

    def step(self, state, inputs, time):
        return {"shown": inputs["warmth"]}, {}


def test_a_component_that_asks_for_no_height_finds_the_temperature_at_two_metres():
    times = np.arange("2001-01-01T01", "2001-01-01T05", dtype="datetime64[h]").astype("datetime64[ns]")
    raw = xr.Dataset({"t2m": ("time", np.full(4, 280.0))}, {"time": times, "lat": 50.0, "lon": 8.0})
    data = conform(raw, {"t2m": ERA5["t2m"]}, step="1h", label="end", source="ERA5")
    assert data["air_temperature"].attrs["vertical_extent"] == [2.0, 2.0] and "time_end" in data.coords
    shown = simulate(Graph({"thermometer": Thermometer()}), data)["shown"]
    assert shown.values.ravel().tolist() == [280.0] * 4
