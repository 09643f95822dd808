"""What a quantity is: field specifications, units, the field dictionary, calendars and grids."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "cell_methods": ("time_statistic",),
    "clock": ("Clock", "from_xarray_time", "parse_time", "parse_timestep"),
    "dictionary": ("Dictionary", "default_dictionary", "load_dictionary"),
    "errors": ("CrestError", "DictionaryError", "FieldError", "GridError", "TimeError", "UnitError"),
    "fields": ("FieldSpec", "HORIZONTAL"),
    "grid": ("Grid", "PointGrid", "RectilinearGrid"),
    "plain_yaml": ("line_of_key", "read_plain_yaml"),
    "units": ("Conversion", "conversion"),
}
_HOME = {name: f"crest_fields.{module}" for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name on first use: units, time and grids each cost something to load."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
