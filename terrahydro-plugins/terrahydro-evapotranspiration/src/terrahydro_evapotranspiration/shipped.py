"""Weights that come with the package, three members: train.yaml makes them with the seeds 1, 2 and 3."""

from __future__ import annotations

from pathlib import Path

from crest_core import Component, ComponentError, registry

MEMBERS = (1, 2, 3)


def et_penman_monteith_ar1(*, member: int = 1) -> Component:
    """Return Penman-Monteith with the weights of a member, from US-AR1; its card tells data, licence and skill."""
    if type(member) is not int or member not in MEMBERS:
        raise ComponentError(f"et-penman-monteith-ar1: member {member!r}; expected one of {list(MEMBERS)}")
    folder = Path(__file__).parent / "models" / f"et-penman-monteith-ar1-{member}"
    component: Component = registry().load("parts", "saved-model")(folder)()
    return component
