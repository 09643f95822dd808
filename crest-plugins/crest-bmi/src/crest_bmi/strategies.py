"""Which gradient a BMI model can have: none if it is opaque, steps that its number types carry."""

from __future__ import annotations

from crest_bmi.description import Description
from crest_core import SPSA, FieldError, FiniteDifference, Gradient, GradientError, NoGradient

FLOAT32_STEP = 1e-2  # relative error of differences through float32 about 2e-4; at 1e-4 it is 2e-2
FLOAT32_LEAST = 1e-3


def choose(described: Description, asked: Gradient | None, opaque: bool, independent: bool) -> Gradient:
    """Return the gradient strategy; GradientError for one that the model cannot give."""
    narrow = float32_names(described)
    whole = [one.name for one in described.variables if one.dtype.kind != "f"]
    if asked is None:
        asked = FiniteDifference(step=FLOAT32_STEP) if narrow else FiniteDifference()
        asked = NoGradient() if opaque or whole else asked
    if isinstance(asked, NoGradient) or opaque:
        return asked  # the core refuses others for an opaque component
    if whole:
        raise GradientError(f"{described.who}: {whole} are whole numbers, which have no gradient; use NoGradient()")
    if isinstance(asked, FiniteDifference | SPSA) and narrow and asked.step < FLOAT32_LEAST:
        raise GradientError(
            f"{described.who}: {narrow} are float32, which drowns differences of step {asked.step:g}; use a step of "
            f"{FLOAT32_STEP:g}, or leave gradient= out"
        )
    if independent and described.flat:
        _check_claim(described, asked)
    return asked


def float32_names(described: Description) -> list[str]:
    """Return the variables that the model holds in float32."""
    return list(dict.fromkeys(one.name for one in described.variables if one.dtype.itemsize < 8))


def _check_claim(described: Description, gradient: Gradient) -> None:
    """Raise FieldError where values shared by all columns do not allow them to be perturbed side by side."""
    shared = [one.name for one in described.variables if one.way == "shared"]
    results = [one.name for role in ("output", "state") for one in described.roles[role] if one.way == "shared"]
    if results or (shared and isinstance(gradient, SPSA)):
        raise FieldError(
            f"{described.who}: independent_columns=True does not go with {results or shared}, which all columns share"
            f"{'' if results else ', and SPSA'}; leave it out"
        )
