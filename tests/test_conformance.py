"""Every registered component keeps the rules that `crest check` looks at."""

from functools import partial

import pytest

from crest_core import registry
from crest_core.testing import check_component

ENTRIES = {entry.name: entry for entry in registry().of_kind("components") if not entry.error}
# What a component is built with, what it conserves, and where it may break a rule, with the reason.
ARGUMENTS = {"et-penman-monteith": {"altitude": 240.0}, "et-priestley-taylor": {"altitude": 240.0}}
ENERGY = "energy: net_radiation = ground_heat + latent_heat + sensible_heat"
CONSERVES = {
    "et-penman-monteith": [ENERGY],
    "et-priestley-taylor": [ENERGY],
    "soil-bucket": [
        "water: precipitation_flux = evapotranspiration + surface_runoff + subsurface_runoff"
        " + d(soil_moisture) + d(groundwater)"
    ],
}
EXPECTED: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_registered_component_conforms(name):
    factory = partial(registry().load("components", name), **ARGUMENTS.get(name, {}))
    report = check_component(factory, name=name, conserves=CONSERVES.get(name, ()), expected=EXPECTED.get(name, {}))
    report.assert_ok()


def test_what_is_said_of_components_names_some_that_exist():
    assert {*ARGUMENTS, *CONSERVES, *EXPECTED} <= set(ENTRIES)
