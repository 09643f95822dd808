"""HBV, the rainfall-runoff model, with the Basic Model Interface: an example that can be used."""

from __future__ import annotations

from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crest_bmi.array_bmi import ArrayBmi, ArrayVariable
from crest_bmi.grids import BmiGrid
from crest_core import ComponentError

DAY = 86400.0  # s


class HBVConfig(BaseModel):
    """What the configuration of HBV may say; parameters hold for all cells."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    cells: int = Field(default=1, gt=0)
    threshold_temperature: float = 0.0  # TT [degC]
    degree_day_factor: float = Field(default=3.5, ge=0.0)  # CFMAX [mm degC-1 day-1]
    snowfall_correction: float = Field(default=1.0, gt=0.0)  # SFCF [1]
    refreezing: float = Field(default=0.05, ge=0.0, le=1.0)  # CFR [1]
    water_holding: float = Field(default=0.1, ge=0.0, le=1.0)  # CWH [1]
    field_capacity: float = Field(default=250.0, gt=0.0)  # FC [mm]
    evaporation_limit: float = Field(default=0.7, gt=0.0, le=1.0)  # LP [1]
    recharge_exponent: float = Field(default=2.0, gt=0.0)  # BETA [1]
    percolation: float = Field(default=1.5, ge=0.0)  # PERC [mm day-1]
    upper_threshold: float = Field(default=20.0, ge=0.0)  # UZL [mm]
    quick_recession: float = Field(default=0.2, ge=0.0, lt=1.0)  # K0 [day-1]
    upper_recession: float = Field(default=0.1, ge=0.0, lt=1.0)  # K1 [day-1]
    lower_recession: float = Field(default=0.05, ge=0.0, lt=1.0)  # K2 [day-1]


PARAMETER_UNITS = {
    "threshold_temperature": "degC", "degree_day_factor": "mm degC-1 day-1", "snowfall_correction": "1",
    "refreezing": "1", "water_holding": "1", "field_capacity": "mm", "evaporation_limit": "1",
    "recharge_exponent": "1", "percolation": "mm day-1", "upper_threshold": "mm", "quick_recession": "day-1",
    "upper_recession": "day-1", "lower_recession": "day-1",
}  # fmt: skip

FIELDS: dict[str, dict[str, Any]] = {  # what BMI does not tell, for BmiComponent(HBV, fields=HBV.fields, ...)
    "precipitation": {"standard_name": "precipitation_flux", "bounds": (0.0, 2000.0)},
    "air_temperature": {"standard_name": "air_temperature", "bounds": (-90.0, 60.0)},
    "potential_evaporation": {"standard_name": "water_potential_evaporation_flux", "bounds": (0.0, 50.0)},
    "runoff": {"standard_name": "runoff_flux"},
    "evapotranspiration": {"standard_name": "water_evapotranspiration_flux", "positive": "up"},
    "snow_water_equivalent": {
        "standard_name": "lwe_thickness_of_surface_snow_amount",
        "cell_methods": "time: point",
    },
    "snowpack": {"bounds": (0.0, inf)},
    "snow_liquid_water": {"bounds": (0.0, inf)},
    "soil_water": {"bounds": (0.0, inf)},
    "upper_groundwater": {"bounds": (0.0, inf)},
    "lower_groundwater": {"bounds": (0.0, inf)},
    "threshold_temperature": {"bounds": (-3.0, 3.0)},
    "degree_day_factor": {"bounds": (0.5, 10.0)},
    "field_capacity": {"bounds": (50.0, 600.0)},
    "recharge_exponent": {"bounds": (1.0, 6.0)},
    "percolation": {"bounds": (0.0, 6.0)},
    "quick_recession": {"bounds": (0.05, 0.6)},
    "upper_recession": {"bounds": (0.01, 0.4)},
    "lower_recession": {"bounds": (0.001, 0.15)},
}


class HBV(ArrayBmi):
    """HBV in the form of Seibert and Vis (2012), doi:10.5194/hess-16-3315-2012, sections 2.1-2.3, a day a step.

    Snow by degree days with refreezing and liquid water, a soil box, two groundwater boxes; the triangular
    routing (MAXBAS) is left out. Every cell is a catchment of its own. All parameters and states can be read and set.
    """

    input_names = ("precipitation", "air_temperature", "potential_evaporation")
    output_names = ("runoff", "evapotranspiration", "snow_water_equivalent")
    state_names = ("snowpack", "snow_liquid_water", "soil_water", "upper_groundwater", "lower_groundwater")
    parameter_names = tuple(PARAMETER_UNITS)
    fields = MappingProxyType(FIELDS)

    def get_component_name(self) -> str:
        return "HBV"

    def initialize(self, config_file: str) -> None:
        config = _read(config_file) if config_file else HBVConfig()
        units = dict.fromkeys(self.input_names + self.output_names, "mm day-1") | {"air_temperature": "degC"}
        units |= dict.fromkeys(("snow_water_equivalent", *self.state_names), "mm") | PARAMETER_UNITS
        first = {name: getattr(config, name) for name in PARAMETER_UNITS} | {"soil_water": config.field_capacity / 2}
        self.v = {name: np.full(config.cells, first.get(name, 0.0)) for name in units}
        index = np.arange(float(config.cells))
        grid = BmiGrid("unstructured", (config.cells,), {"x": index}) if config.cells > 1 else BmiGrid("scalar")
        variables = {
            name: ArrayVariable(self.v[name], units[name], settable=name not in self.output_names) for name in units
        }
        self.begin(variables, (grid,), inputs=self.input_names, outputs=self.output_names, seconds=DAY)

    def advance(self) -> None:
        v = self.v
        liquid = self._snow()
        wet = np.clip(v["soil_water"] / v["field_capacity"], 0.0, 1.0)
        recharge = liquid * wet ** v["recharge_exponent"]
        soil = v["soil_water"] + liquid - recharge
        recharge += np.maximum(soil - v["field_capacity"], 0.0)
        soil = np.minimum(soil, v["field_capacity"])
        share = np.minimum(soil / (v["field_capacity"] * v["evaporation_limit"]), 1.0)
        evaporated = np.minimum(v["potential_evaporation"] * share, soil)
        v["soil_water"][:] = soil - evaporated
        v["evapotranspiration"][:] = evaporated
        v["runoff"][:] = self._groundwater(recharge)

    def _snow(self) -> np.ndarray:
        """Return the water [mm] that leaves the snow or falls through, and bring the snow on."""
        v = self.v
        above = v["air_temperature"] - v["threshold_temperature"]
        snowing = above < 0.0
        snow = v["snowpack"] + np.where(snowing, v["precipitation"] * v["snowfall_correction"], 0.0)
        melt = np.minimum(v["degree_day_factor"] * np.maximum(above, 0.0), snow)
        frozen = v["refreezing"] * v["degree_day_factor"] * np.maximum(-above, 0.0)
        frozen = np.minimum(frozen, v["snow_liquid_water"])
        snow += frozen - melt
        liquid = v["snow_liquid_water"] + melt - frozen + np.where(snowing, 0.0, v["precipitation"])
        kept = np.minimum(liquid, v["water_holding"] * snow)
        v["snowpack"][:], v["snow_liquid_water"][:] = snow, kept
        v["snow_water_equivalent"][:] = snow + kept
        return liquid - kept

    def _groundwater(self, recharge: np.ndarray) -> np.ndarray:
        """Return the runoff [mm day-1] of both boxes, and bring them on."""
        v = self.v
        upper = v["upper_groundwater"] + recharge
        percolation = np.minimum(v["percolation"], upper)
        upper -= percolation
        lower = v["lower_groundwater"] + percolation
        quick = v["quick_recession"] * np.maximum(upper - v["upper_threshold"], 0.0)
        outflow = np.minimum(quick + v["upper_recession"] * upper, upper)
        base = v["lower_recession"] * lower
        v["upper_groundwater"][:], v["lower_groundwater"][:] = upper - outflow, lower - base
        return outflow + base


def _read(config_file: str) -> HBVConfig:
    try:
        content = yaml.safe_load(Path(config_file).read_text(encoding="utf-8"))
        return HBVConfig.model_validate(content or {})
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ComponentError(f"HBV: configuration {config_file}: {' '.join(str(error).split())}") from error
