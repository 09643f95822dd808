"""Forms: number types and shapes of what a call took and gave, held against what the fields say."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from crest_core.component import Component
from crest_core.errors import ComponentError
from crest_core.testing.comparison import form


def look_at_forms(
    who: str, component: Component, arguments: Sequence[Tensor], results: Sequence[Tensor], time: int
) -> None:
    """Raise where number type or shape is not what the fields say; the sizes of dims must agree between fields.

    `arguments` are states and inputs, `results` new states and outputs, in their order; `time` counts their time axes.
    """
    sizes: dict[str, int] = dict(component.dim_sizes)
    groups = (
        ("state", component.states, 0), ("input", component.inputs, time),
        ("new state", component.states, 0), ("output", component.outputs, time),
    )  # fmt: skip
    values = iter((*arguments, *results))
    for word, specs, before in groups:
        for spec in specs:
            value = next(values)
            axes = len(spec.dims) + (0 if spec.static else before) + (word == "input" and spec.window > 1)
            what = f"{who}: {word} {spec.name} is {form(value)}"
            if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() < axes:
                raise ComponentError(f"{what}, expected real numbers with the dims {spec.dims}")
            own = value.shape[value.dim() - len(spec.dims) :]
            for name, size in zip(spec.dims, own, strict=True):
                if sizes.setdefault(name, size) != size:
                    raise ComponentError(f"{what}; {name} is {sizes[name]} in other fields")
