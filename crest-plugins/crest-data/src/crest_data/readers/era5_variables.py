"""Variables of ERA5 and ERA5-Land by their short names: what ECMWF's parameter database says of them.

Accumulations (`time: sum`) become means over the hour. ECMWF counts vertical fluxes positive downward, evaporation too;
evaporation is handed out positive upward, as the dictionary of fields and all other readers have it.
"""

from __future__ import annotations

from crest_data.variable import Variable

RATE = "kg m-2 s-1"
POWER = "W m-2"


def _state(
    name: str,
    units: str,
    standard_name: str = "",
    bounds: tuple[float, float] | None = None,
    to_units: str = "",
    height: float | None = None,
) -> Variable:
    """Return a value at a moment, and at a height [m] above the ground."""
    vertical = None if height is None else (height, height)
    return Variable(name, units, standard_name, to_units, "time: point", bounds=bounds, vertical=vertical)


def _water(
    name: str, standard_name: str = "", positive: str = "", bounds: tuple[float, float] | None = None
) -> Variable:
    """Return a depth of water [m], summed over time."""
    return Variable(name, "m", standard_name, to_units=RATE, cell_methods="time: sum", bounds=bounds, positive=positive)


def _energy(name: str, standard_name: str, bounds: tuple[float, float]) -> Variable:
    """Return an energy [J m-2] downward, summed over time."""
    return Variable(
        name, "J m-2", standard_name, to_units=POWER, cell_methods="time: sum", bounds=bounds, positive="down"
    )


def _soil(layer: int, top: float, bottom: float) -> dict[str, Variable]:
    """Return moisture and temperature of a soil layer between two depths [m]."""
    moisture = Variable(
        f"soil_moisture_{layer}", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", cell_methods="time: point",
        bounds=(-0.01, 1.0), vertical=(top, bottom),
    )  # fmt: skip
    warmth = Variable(
        f"soil_temperature_{layer}", "K", "soil_temperature", cell_methods="time: point", bounds=(150.0, 350.0),
        vertical=(top, bottom),
    )  # fmt: skip
    return {f"swvl{layer}": moisture, f"stl{layer}": warmth}


_RAIN = (0.0, 1.0)  # kg m-2 s-1
ERA5 = {
    "t2m": _state("air_temperature", "K", "air_temperature", (150.0, 350.0), height=2.0),
    "d2m": _state("dew_point_temperature", "K", "dew_point_temperature", (150.0, 350.0), height=2.0),
    "skt": _state("surface_temperature", "K", "surface_temperature", (150.0, 370.0)),
    "sp": _state("surface_pressure", "Pa", "surface_air_pressure", (25000.0, 115000.0)),
    "msl": _state("sea_level_pressure", "Pa", "air_pressure_at_mean_sea_level", (80000.0, 115000.0)),
    "u10": _state("eastward_wind", "m s-1", "eastward_wind", (-150.0, 150.0), height=10.0),
    "v10": _state("northward_wind", "m s-1", "northward_wind", (-150.0, 150.0), height=10.0),
    "tcc": _state("cloud_fraction", "1", "cloud_area_fraction", (-0.001, 1.001)),
    "sd": _state("snow_water", "m", "surface_snow_amount", (-0.001, 20000.0), "kg m-2"),
    "sde": _state("snow_depth", "m", "surface_snow_thickness", (-0.001, 100.0)),
    "rsn": _state("snow_density", "kg m-3", "surface_snow_density", (0.0, 1000.0)),
    "snowc": _state("snow_cover", "%", "surface_snow_area_fraction", (-0.001, 1.001), "1"),
    "tsn": _state("snow_temperature", "K", "temperature_in_surface_snow", (150.0, 350.0)),
    "asn": _state("snow_albedo", "1", "", (0.0, 1.001)),
    # Of low and of high vegetation alone: neither is the leaf area index of the place.
    "lai_lv": _state("leaf_area_low", "m2 m-2", "", (-0.001, 15.0)),
    "lai_hv": _state("leaf_area_high", "m2 m-2", "", (-0.001, 15.0)),
    **_soil(1, 0.0, 0.07),
    **_soil(2, 0.07, 0.28),
    **_soil(3, 0.28, 1.0),
    **_soil(4, 1.0, 2.89),
    "tp": _water("precipitation", "precipitation_flux", "down", _RAIN),
    "cp": _water("convective_precipitation", "convective_precipitation_flux", "down", _RAIN),
    "lsp": _water("stratiform_precipitation", "stratiform_precipitation_flux", "down", _RAIN),
    "sf": _water("snowfall", "snowfall_flux", "down", _RAIN),
    "smlt": _water("snow_melt", "surface_snow_melt_flux", "", _RAIN),
    "ro": _water("runoff", "runoff_flux", "", _RAIN),
    "sro": _water("surface_runoff", "surface_runoff_flux", "", _RAIN),
    "ssro": _water("subsurface_runoff", "subsurface_runoff_flux", "", _RAIN),
    "e": _water("evaporation", "water_evapotranspiration_flux", "up", (-0.01, 0.01)),
    "pev": _water("potential_evaporation", "water_potential_evaporation_flux", "up", (-0.1, 0.1)),
    "ssrd": _energy("shortwave_down", "surface_downwelling_shortwave_flux_in_air", (0.0, 1600.0)),
    "strd": _energy("longwave_down", "surface_downwelling_longwave_flux_in_air", (0.0, 1000.0)),
    "ssr": _energy("shortwave_net", "surface_net_downward_shortwave_flux", (-1.0, 1600.0)),
    "str": _energy("longwave_net", "surface_net_downward_longwave_flux", (-1000.0, 1000.0)),
    "sshf": _energy("sensible_heat", "surface_downward_sensible_heat_flux", (-3000.0, 3000.0)),
    "slhf": _energy("latent_heat", "surface_downward_latent_heat_flux", (-3000.0, 3000.0)),
}
# What ECMWF counts up only, so that a small negative value is a trace of packing.
GROWS = ("tp", "cp", "lsp", "sf", "smlt", "ro", "sro", "ssro", "ssrd", "strd")
# Downward in the file whatever the name; turned where the variable is to be positive upward.
DOWNWARD = ("e", "pev")
# Units of ECMWF that UDUNITS does not know.
UNITS = {"m of water equivalent": "m", "(0 - 1)": "1", "~": "1", "m of water": "m", "m**2 m**-2": "m2 m-2"}
# Names that two downloads give to one parameter.
ALIASES = {"2t": "t2m", "2d": "d2m", "10u": "u10", "10v": "v10", "var167": "t2m"}
