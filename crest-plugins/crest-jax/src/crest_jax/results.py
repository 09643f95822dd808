"""The shapes of a step's results, compared with the fields while it is compiled: a graph would spread them silently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from crest_core import Component, ComponentError, FieldSpec

Step = Callable[[Any, Any, Any], Any]
Shape = tuple[int | str, ...]


def with_shapes_checked(step: Step, name: str, component: Component) -> Step:
    """Return the step, which raises ComponentError for a result of another shape than its field has."""

    def checked(parameters: Any, state: Any, inputs: Any) -> Any:
        returned = step(parameters, state, inputs)
        if not isinstance(returned, tuple) or len(returned) != 2 or not all(isinstance(one, dict) for one in returned):
            raise ComponentError(f"function {name}: expected (outputs, new state), two dicts by field name")
        given = [(spec, inputs[spec.name].shape, spec.window > 1) for spec in component.inputs]
        given += [(spec, state[spec.name].shape, False) for spec in component.states]
        lead, sizes = _lead_and_sizes(component, given)
        for specs, group, what in (
            (component.outputs, returned[0], "output"),
            (component.states, returned[1], "state"),
        ):
            for spec in specs:
                if spec.name in group:
                    expected = (*lead, *(sizes.get(dim, dim) for dim in spec.dims))
                    _check(f"function {name}: {what} {spec.name}", expected, jnp.shape(group[spec.name]))
        return returned

    return checked


def _lead_and_sizes(
    component: Component, given: Sequence[tuple[FieldSpec, tuple[int, ...], bool]]
) -> tuple[tuple[int, ...], dict[str, int]]:
    """Return the leading dims, and the sizes of all dims that inputs and states have."""
    sizes, leads = dict(component.dim_sizes), []
    for spec, shape, window in given:
        own = len(shape) - len(spec.dims)
        sizes |= zip(spec.dims, shape[own:], strict=True)
        leads.append(shape[int(window) : own])
    return np.broadcast_shapes(*leads), sizes


def _check(who: str, expected: Shape, got: tuple[int, ...]) -> None:
    fits = len(got) == len(expected) and all(
        size == want or isinstance(want, str) for size, want in zip(got, expected, strict=True)
    )
    if not fits:
        raise ComponentError(
            f"{who}: expected the shape ({', '.join(map(str, expected))}), leading dims and those of the field, got "
            f"{got}; spread a constant with jnp.full_like"
        )
