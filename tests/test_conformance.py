"""Every registered component keeps the rules that `crest check` looks at."""

from functools import partial
from typing import Any

import packages
import pytest

from crest_core import registry
from crest_core.testing import check_component
from crest_core.testing.checks import CHECKS

ADDED = "crest_models.added:"  # models that whoever runs this has added to their own machine
COMPONENTS = registry().of_kind("components")
ENTRIES = {entry.name: entry for entry in COMPONENTS if not entry.error and not entry.target.startswith(ADDED)}
# What a component is built with, and where it may break a rule, with the reason.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "et-penman-monteith": {"altitude": 240.0},
    "et-priestley-taylor": {"altitude": 240.0},
    "et-network": {"altitude": 240.0},
    "streamflow-lstm": {"hidden": 16},  # 256 is for training; the rules are the same
    "streamflow-ea-lstm": {"hidden": 16},
    "streamflow-hbv": {"units": 2},
}
EXPECTED: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_registered_component_conforms(name):
    factory = partial(registry().load("components", name), **ARGUMENTS.get(name, {}))
    report = check_component(factory, name=name, expected=EXPECTED.get(name, {}))
    report.assert_ok()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("et-penman-monteith", "conservation.energy"),
        ("et-priestley-taylor", "conservation.energy"),
        ("soil-bucket", "conservation.water"),
        ("streamflow-hbv", "conservation.water"),
    ],
)
def test_what_closes_by_construction_is_claimed_and_proved(name, rule):
    factory = partial(registry().load("components", name), **ARGUMENTS.get(name, {}))
    report = check_component(factory, name=name, stages=["conservation"])
    assert [one.outcome for one in report.results if one.check.id == rule] == ["pass"]


def test_what_is_said_of_components_names_some_that_exist():
    assert {*ARGUMENTS, *EXPECTED} <= set(ENTRIES)


def test_pages_that_count_the_checks_count_them_right():
    number = len(CHECKS)
    for page, words in {
        "CHANGELOG.md": f"{number} rules that",
        "docs/how-to/check.md": f"{number} rules, each",
    }.items():
        assert words in (packages.ROOT / page).read_text(encoding="utf-8"), f"{page} does not say {number}"
