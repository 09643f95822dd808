"""Registers the data sources of crest-data; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register the Schwingbach weather and soil-moisture record."""
    register(
        "schwingbach",
        "crest_data.schwingbach:read_schwingbach",
        summary="Weather and soil moisture at 10, 25, 40 cm, Schwingbach, Germany, 2014-2016",
    )
