"""The checks of the conformance suite, by stage, in the order in which they run."""

from crest_core.testing.checks import (
    build,
    citizen,
    conservation,
    gradients,
    invariance,
    numerics,
    packaging,
    ports,
    purity,
    sequence,
    shapes,
    state,
)
from crest_core.testing.records import Check

NEEDS = {
    "build": (),
    "ports": ("build",),
    "shapes": ("ports",),
    "purity": ("shapes",),
    "sequence": ("purity",),
    "invariance": ("purity",),
    "state": ("purity",),
    "gradients": ("purity",),
    "numerics": ("purity",),
    "conservation": ("purity",),
    "citizen": ("shapes",),
    "packaging": ("build",),
}
"""The stages, and those without which each proves nothing."""

CHECKS: tuple[Check, ...] = (
    *build.CHECKS,
    *ports.CHECKS,
    *shapes.CHECKS,
    *purity.CHECKS,
    *sequence.CHECKS,
    *invariance.CHECKS,
    *state.CHECKS,
    *gradients.CHECKS,
    *numerics.CHECKS,
    *conservation.CHECKS,
    *citizen.CHECKS,
    *packaging.CHECKS,
)

__all__ = ["CHECKS", "NEEDS"]
