"""The configuration file of a graph as a BMI model: YAML, checked key by key; nothing in it is executed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, ValidationError, model_validator

from crest_core import ComponentError, Grid, PointGrid, RectilinearGrid

Numbers = StrictFloat | list[StrictFloat]  # true is no number


class GridSection(BaseModel):
    """Places: points along "cell", or the axes of a rectilinear grid."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    type: Literal["points", "rectilinear"] = "points"
    lat: list[StrictFloat]
    lon: list[StrictFloat]

    def build(self) -> Grid:
        """Return the grid."""
        return (PointGrid if self.type == "points" else RectilinearGrid)(self.lat, self.lon)


class ExportConfig(BaseModel):
    """What `initialize` reads; every key may be left out where as_bmi was given it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    component: str | None = None
    """Registered name of the component or graph, as in `crest list --kind components`."""
    arguments: dict[str, Any] = Field(default={}, alias="with")
    """Arguments of its constructor."""
    weights: Path | None = None
    """A .safetensors file for load_weights."""
    restart: Path | None = None
    """A .safetensors restart to begin from."""
    cells: StrictInt | None = Field(default=None, gt=0)
    """Number of cells, where they have no coordinates."""
    grid: GridSection | None = None
    """Places with coordinates."""
    forcing: dict[str, Numbers] = {}
    """Values of inputs until set_value, in the units of the fields."""
    start: str | date | None = None
    """Date of time 0.0; 1970-01-01 where none is given."""
    dtype: Literal["float32", "float64"] | None = None
    """Number type of inputs and outputs."""

    @model_validator(mode="after")
    def _check_arguments(self) -> Self:
        if self.arguments and self.component is None:
            raise ValueError("the key with holds arguments of a component; name one (component: NAME)")
        return self


def read_config(path: str | Path) -> ExportConfig:
    """Return the configuration, checked; paths in it are relative to its folder. ComponentError if it is wrong."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = ExportConfig.model_validate(content if content is not None else {})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors())
        raise ComponentError(
            f"configuration {path}: {told}; keys: {', '.join(field.alias or key for key, field in _keys())}"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ComponentError(f"configuration {path} cannot be read: {' '.join(str(error).split())}") from error
    folder = path.parent
    paths = {key: folder / value for key in ("weights", "restart") if (value := getattr(found, key)) is not None}
    return found.model_copy(update=paths)


def _keys() -> list[tuple[str, Any]]:
    return list(ExportConfig.model_fields.items())
