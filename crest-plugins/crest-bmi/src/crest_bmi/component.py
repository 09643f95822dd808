"""BmiComponent: any model with the Basic Model Interface, on the gradient tape where its state can be set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bmipy import Bmi

from crest_bmi.description import ROLES, describe, start_parameters
from crest_bmi.grids import BmiGrid
from crest_bmi.model import BmiModel
from crest_bmi.opaque import HiddenModels
from crest_bmi.running import SettableModel
from crest_bmi.strategies import choose, float32_names
from crest_bmi.trial import Trial, check_model
from crest_bmi.variables import Overrides
from crest_core import BlackBoxComponent, ComponentError, Gradient, Sizes, Tensors


class BmiComponent(BlackBoxComponent):
    """A BMI model as a component: units, grids, number types, time step and first state come from the model.

    `states` names the variables that are all it remembers, () for a model that remembers nothing: they are set before
    every step, so that gradients (finite differences), members and restarts work. This is tried out while building.
    Without `states` the model is opaque: it runs in time order from its start, one running model for each member and
    looped cell, has no gradient, and goes back in time only with `replay=True`, which keeps all inputs in memory.

    A model of one place runs for any number of cells, one call each. `inputs` and `outputs` are by default all that
    the model lists. `fields` adds to what it says, by BMI names, as {"Q_OUT": {"name": "runoff", "standard_name":
    "runoff_flux"}}; units given there correct the model's text and convert nothing. `independent_columns` says that
    the columns of its grid do not feel each other: gradients are then that much cheaper. `trial` is the number
    of steps that states are tried with, 4 if left out, or the values of inputs in them, as {"rain": (0.0, 80.0, ...)}.

    >>> from crest_bmi import HBV
    >>> basin = BmiComponent(HBV, states=HBV.state_names)
    >>> basin.timestep, basin.gradient_policy, basin.opaque
    ('1D', 'finite_difference', False)
    """

    def __init__(
        self,
        model: Callable[[], Bmi],
        config_file: str | Path | None = None,
        *,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        parameters: Sequence[str] = (),
        fields: Overrides | None = None,
        timestep: str | None = None,
        gradient: Gradient | None = None,
        independent_columns: bool = False,
        replay: bool = False,
        trial: Trial | None = None,
    ) -> None:
        make = partial(BmiModel, model, config_file)
        first = make()
        opaque = states is None
        try:
            names = _names(first, inputs, outputs, states or (), parameters)
            found = describe(first, names, opaque, fields or {})
            self.timestep, self.opaque = timestep or first.timestep(), opaque
        finally:
            first.close()
        self.inputs, self.outputs, self.states, self.parameter_specs = map(found.specs, ROLES)
        self.dim_sizes, self.independent_columns = found.dim_sizes, independent_columns or not found.flat
        strategy = choose(found, gradient, opaque, independent_columns)
        super().__init__(gradient=strategy, parameters=start_parameters(found))
        if not opaque:
            check_model(make, found, {} if trial is None else trial, independent_columns)
        self.described = found
        self._config = hashlib.sha256(Path(config_file).read_bytes() if config_file else b"").hexdigest()
        self._running: HiddenModels | SettableModel = HiddenModels(make, replay) if opaque else SettableModel(make)

    @property
    def grids(self) -> Mapping[str, BmiGrid]:
        """The model's grids by BMI names of the variables, with coordinates where it has them."""
        return {one.name: one.grid for one in self.described.variables}

    def extra_repr(self) -> str:
        """Return model, hash of its configuration and what limits it, for print and the graph hash."""
        narrow = float32_names(self.described)
        lines = [f"{self.described.who}, configuration sha256 {self._config}"]
        lines += ["opaque: hides its state; no gradient, no restart"] * self.opaque
        lines += [f"float32 in the model: {', '.join(narrow)}"] * bool(narrow)
        return "\n".join(lines)

    def finalize(self) -> None:
        """Call the model's `finalize`, as also happens when the component is gone; a later step begins anew."""
        self._running.close()

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the state of the model after `initialize`, in float64; GridError where its grid is another."""
        own = Sizes({**sizes.dims, **self.dim_sizes}, sizes.lead, torch.float64, sizes.device)
        return self.described.initial_state(own)

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one timestep; a failure names model, BMI function and time."""
        try:
            return super().step(state, inputs, time)
        except ComponentError as error:
            who = self.described.who
            raise ComponentError(f"{who}, step at {time}: {str(error).removeprefix(f'{who}: ')}") from error

    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return (outputs, new state): one call of the model for each member, perturbed copy and looped cell."""
        rows = self.described.rows(state, inputs, parameters)
        found = self._running.calls(self.described, rows)
        return self.described.tensors("output", found, rows), self.described.tensors("state", found, rows)


def _names(
    model: BmiModel,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    states: Sequence[str],
    parameters: Sequence[str],
) -> dict[str, Sequence[str]]:
    """Return the variables of each role, those that the model lists where none are given."""
    if inputs is None:
        taken = {*states, *parameters}
        inputs = [name for name in model.names("get_input_var_names") if name not in taken]
    outputs = model.names("get_output_var_names") if outputs is None else outputs
    return dict(zip(ROLES, map(tuple, (inputs, outputs, states, parameters)), strict=True))
