"""Balance: which fields of a component belong to the budget of a conserved quantity, and what is left of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_fields.dictionary import Dictionary
from crest_fields.errors import FieldError
from crest_fields.fields import HORIZONTAL, FieldSpec
from crest_fields.units import WATER_DENSITY, is_convertible, is_rate_pair, rate_conversion, water_conversion

Quantity = Literal["water", "energy", "carbon"]
STORED = {"water": "kg m-2", "energy": "J m-2", "carbon": "kg m-2"}
"""Units of an amount of each quantity on an area; fluxes are this per second."""
_TERM = re.compile(r"[a-z][a-z0-9_.]*|d\( *[a-z][a-z0-9_.]* *\)")


@dataclass(frozen=True)
class Balance:
    """gains - losses = change of the stores, over every step and in every column.

    Names are fields of the component: an output, or else an input, for gains and losses, and a state for stores.
    A store in volume fraction with a dim of `layers` counts as water in layers of that thickness. A flux that is
    missing, or counted twice, shows as a residual.

    >>> Balance.parse("water: rain = runoff + evaporation + d(storage)")
    Balance(quantity='water', gains=('rain',), losses=('runoff', 'evaporation'), stores=('storage',))
    """

    quantity: Quantity
    gains: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Balance:
        """Return the balance of "quantity: gain + gain = loss + d(store)"."""
        quantity, _, equation = text.partition(":")
        left, _, right = equation.partition("=")
        gains, terms = ([term.strip() for term in side.split("+") if term.strip()] for side in (left, right))
        name = quantity.strip()
        if name not in STORED or not gains or not terms or not all(map(_TERM.fullmatch, gains + terms)):
            raise FieldError(
                f"balance {text!r}: expected one of {', '.join(STORED)}, and an equation of fields, such as "
                f"'water: precipitation = runoff + evapotranspiration + d(storage)'"
            )
        stores = tuple(term[2:-1].strip() for term in terms if term.startswith("d("))
        losses = tuple(term for term in terms if not term.startswith("d("))
        return cls(name, tuple(gains), losses, stores)  # type: ignore[arg-type]

    def __str__(self) -> str:
        terms = (*self.losses, *(f"d({name})" for name in self.stores))
        return f"{self.quantity}: {' + '.join(self.gains)} = {' + '.join(terms)}"


def balance_of(quantity: Quantity, component: Component, dictionary: Dictionary) -> Balance | None:
    """Return the balance that standard names imply, None where they name no gain, or no loss and no store.

    An input gains, unless its values count positive upward; an output loses. An output that is also an input by
    standard name (what was given, of what was asked for) counts instead of it. Energy has balances within balances,
    so that its terms must be named.
    """
    if quantity == "energy":
        return None

    def counted(specs: Sequence[FieldSpec]) -> list[FieldSpec]:
        entries = [(spec, dictionary.get(spec.standard_name)) for spec in specs]
        return [spec for spec, entry in entries if entry is not None and entry.conserves == quantity]

    def upward(spec: FieldSpec) -> bool:
        entry = dictionary.get(spec.standard_name)
        return (spec.positive or (entry.positive if entry else "")) == "up"

    stores = tuple(spec.name for spec in counted(component.states))
    outputs = [spec for spec in counted(component.outputs) if spec.statistic != "point"]
    given = {spec.standard_name for spec in outputs}
    inputs = [
        spec for spec in counted(component.inputs) if spec.statistic != "point" and spec.standard_name not in given
    ]
    gains = tuple(spec.name for spec in inputs if not upward(spec))
    losses = tuple(spec.name for spec in (*(s for s in inputs if upward(s)), *outputs))
    return Balance(quantity, gains, losses, stores) if gains and (losses or stores) else None


def residuals(
    balance: Balance, component: Component, inputs: Tensors, outputs: Tensors, states: Sequence[Tensors], seconds: float
) -> Tensor:
    """Return gains - losses - change of the stores (time, ...), in kg m-2 (water: mm) or J m-2.

    `states` holds the one before each step and the last.
    """
    sides = {s.name: (s, inputs[s.name][:, -1] if s.window > 1 else inputs[s.name]) for s in component.inputs}
    sides |= {spec.name: (spec, outputs[spec.name]) for spec in component.outputs}
    kept = {spec.name: spec for spec in component.states}
    unknown = sorted({*balance.gains, *balance.losses} - set(sides)) + sorted(set(balance.stores) - set(kept))
    if unknown:
        raise FieldError(
            f"balance of {balance.quantity}: {unknown} are no such fields of {type(component).__name__}; inputs and "
            f"outputs {sorted(sides)}, states {sorted(kept)}"
        )
    unit = STORED[balance.quantity]
    total = torch.zeros((), dtype=torch.float64)
    for names, sign in ((balance.gains, 1.0), (balance.losses, -1.0)):
        for name in names:
            spec, values = sides[name]
            total = total + sign * _flat(spec, _amount(spec, values.double(), unit, seconds))
    for name in balance.stores:
        amounts = torch.stack([_stored(kept[name], state[name].double(), component, unit) for state in states])
        total = total - amounts.diff(dim=0)
    return total


def _amount(spec: FieldSpec, values: Tensor, unit: str, seconds: float) -> Tensor:
    """Return what flows in a step."""
    if is_convertible(spec.units, unit):
        return values
    density = WATER_DENSITY if unit == STORED["water"] else None
    if not is_rate_pair(spec.units, unit):
        return water_conversion(spec.units, unit)(values)
    return rate_conversion(spec.units, unit, seconds, density=density)(values)


def _stored(spec: FieldSpec, values: Tensor, component: Component, unit: str) -> Tensor:
    """Return the amount in a store, its own dims summed."""
    layers = [(axis - len(spec.dims), name) for axis, name in enumerate(spec.dims) if name in component.layers]
    if layers and is_convertible(spec.units, "1"):
        axis, name = layers[0]
        thickness = torch.tensor([bottom - top for top, bottom in component.layers[name]], dtype=torch.float64)
        shape = [1] * len(spec.dims)
        shape[axis] = len(thickness)
        values = values * thickness.reshape(shape) * WATER_DENSITY
    else:
        values = water_conversion(spec.units, unit)(values)
    return _flat(spec, values)


def _flat(spec: FieldSpec, values: Tensor) -> Tensor:
    """Return the values summed over dims that are not horizontal."""
    axes = [axis - len(spec.dims) for axis, name in enumerate(spec.dims) if name not in HORIZONTAL]
    return values.sum(axes) if axes else values
