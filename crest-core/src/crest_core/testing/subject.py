"""Subject: a component under test, with equal twins of it and plausible cases to run them on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crest_core.blackbox import BlackBoxComponent
from crest_core.component import Component, Sizes, Tensors
from crest_core.errors import ComponentError
from crest_core.plugins import registry
from crest_core.testing.balance import Balance
from crest_core.testing.synthetic import plausible_values
from crest_fields.clock import parse_time, parse_timestep
from crest_fields.dictionary import Dictionary
from crest_fields.errors import TimeError
from crest_fields.fields import HORIZONTAL, FieldSpec

Inputs = Callable[[FieldSpec, tuple[int, ...], torch.Generator], Tensor]
"""From a field, the shape (time, *lead, *dims) and a generator to values in the field's units."""
COLUMNS: Mapping[str, int] = {"cell": 5, "y": 6, "x": 7}
STEPS, MEMBERS, LEAD = 12, 4, (2, 3)
"""Checks share few shapes, for some components are compiled for each: steps, members, and two leading dims."""
START = parse_time("2001-03-01")


@dataclass(frozen=True)
class Case:
    """The arguments of one run: state, inputs with time first, times, and the sizes they have."""

    state: Tensors
    inputs: Tensors
    times: tuple[Any, ...]
    sizes: Sizes


@dataclass(frozen=True, eq=False)
class Subject:
    """What the checks look at: `make` gives a component, the rest says on what it is run."""

    make: Callable[[], Component]
    seed: int
    dictionary: Dictionary
    dims: Mapping[str, int]
    inputs: Inputs | None = None
    conserves: tuple[str | Balance, ...] = ()
    columns_claimed: bool | None = None
    name: str = ""
    """The registered name, "" if it has none."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the checks of a stage found together."""

    def fresh(self, dtype: torch.dtype | None = None) -> Component:
        """Return a component of its own, equal to every other that this method gives, in evaluation mode."""
        kind, component = dtype or self.dtype, self._made()
        return (component if kind == self.native_of(component) else component.to(kind)).eval()

    def _made(self) -> Component:
        with seeded(self.seed):
            component = self.make()
        if not isinstance(component, Component):
            raise ComponentError(f"the factory gives a {type(component).__name__}, expected a Component")
        return component

    @staticmethod
    def native_of(component: Component) -> torch.dtype:
        """Return the number type of the parameters, float32 for a component without."""
        return next((p.dtype for p in component.parameters() if p.is_floating_point()), torch.float32)

    @cached_property
    def plain(self) -> Component:
        """The component in its own number type."""
        return self._made().eval()

    @cached_property
    def native(self) -> torch.dtype:
        """The number type in which the component comes."""
        return self.native_of(self.plain)

    @cached_property
    def doubles(self) -> str:
        """Why the component does not run in float64, "" if it does."""
        try:
            component = self.fresh(torch.float64)
            case = self.case(steps=2, component=component, dtype=torch.float64)
            with torch.no_grad():
                outputs, _ = component.sequence(dict(case.state), dict(case.inputs), case.times)
        except Exception as error:  # other people's code
            return f"after .double() it raises {type(error).__name__}: {error}"
        narrow = [f"{name} is {value.dtype}" for name, value in outputs.items() if value.dtype != torch.float64]
        return f"after .double(), on float64 inputs, {', '.join(narrow)}" if narrow else ""

    @cached_property
    def dtype(self) -> torch.dtype:
        """The number type of the laws: float64 where the component runs in it, else its own."""
        return self.native if self.doubles else torch.float64

    @cached_property
    def component(self) -> Component:
        """One component for many checks, in `dtype`."""
        return self.fresh()

    def instance(self) -> Component:
        """Return the shared component, or a fresh one where it hides state."""
        return self.fresh() if self.plain.opaque else self.component

    @property
    def black_box(self) -> bool:
        """True if torch does not see the code that computes."""
        return isinstance(self.plain, BlackBoxComponent)

    @property
    def packages(self) -> set[str]:
        """The packages of the author: of the registered name, and of what is called to build."""
        modules = [entry.target for entry in registry().of_kind("components") if entry.name == self.name]
        made = self.make.func if isinstance(self.make, partial) else self.make
        modules.append(str(getattr(made, "__module__", "")))
        return {module.partition(":")[0].partition(".")[0] for module in modules} - {"", "crest_core"}

    @property
    def columns(self) -> str:
        """Why columns need not be independent, "" where they are claimed to be."""
        component = self.plain
        if self.columns_claimed is not None:
            return "" if self.columns_claimed else "the check was told that columns are not independent"
        if isinstance(component, BlackBoxComponent) and not component.independent_columns:
            return "independent_columns is False"
        maps = [spec.name for spec in component.inputs + component.outputs if {"y", "x"} & set(spec.dims)]
        if maps:
            return f"{', '.join(maps)} lie on y and x, where neighbours may count, and nothing claims that they do not"
        own = [spec.name for spec in component.parameter_specs if set(spec.dims) & set(HORIZONTAL)]
        return f"the parameters {own} belong to certain cells" if own else ""

    def sizes(self, *, lead: tuple[int, ...] = (), dtype: torch.dtype | None = None, **dims: int) -> Sizes:
        """Return the sizes of a run; `dims` such as cell=1 override."""
        known = {**COLUMNS, **self.dims, **self.plain.dim_sizes, **dims}
        return Sizes(known, lead=lead, dtype=dtype or self.dtype)

    def times(self, steps: int) -> tuple[Any, ...]:
        """Return the starts of the steps from the first of March 2001 on."""
        try:
            step = parse_timestep(self.plain.timestep)
        except TimeError:  # ports.timestep tells of it
            step = timedelta(days=1)
        return tuple(START + step * index for index in range(steps))

    def case(
        self,
        steps: int = STEPS,
        *,
        lead: tuple[int, ...] = (),
        component: Component | None = None,
        dtype: torch.dtype | None = None,
        smooth: bool = False,
        spin_up: int = 0,
        stream: int = 0,
        **dims: int,
    ) -> Case:
        """Return arguments for `steps` steps; `spin_up` steps run before, so that the state is none that is special.

        They are made by `component` in `dtype`: the shared one in that of the laws, where they are left out.
        """
        component = component or self.component
        sizes = self.sizes(lead=lead, dtype=dtype, **dims)
        generator = torch.Generator().manual_seed(self.seed + 7919 * stream)
        earlier = max(component.history.values(), default=0)
        series = {
            spec.name: self._series(spec, earlier + spin_up + steps, sizes, generator, smooth)
            for spec in component.inputs
        }
        state = component.initial_state(sizes)
        if earlier:
            past = {name: series[name][:earlier] for name in component.history}
            state = component.prime(state, past)
        inputs = {
            spec.name: series[spec.name] if spec.static else series[spec.name][earlier:] for spec in component.inputs
        }
        times = self.times(spin_up + steps)
        if spin_up:
            with torch.no_grad():
                before = cut(component, inputs, 0, spin_up)
                _, state = component.sequence(state, before, times[:spin_up])
            inputs = cut(component, inputs, spin_up, spin_up + steps)
        return Case(dict(state), inputs, times[spin_up:], sizes)

    def _series(self, spec: FieldSpec, steps: int, sizes: Sizes, generator: torch.Generator, smooth: bool) -> Tensor:
        """Return the values (time, [window,] *lead, *dims) of one input."""
        shape = sizes.shape(spec)
        full = shape if spec.static else (steps + spec.window - 1, *shape)
        if self.inputs is not None:
            values = self.inputs(spec, full, generator)
        else:
            values = plausible_values(spec, full, self.dictionary, generator, smooth=smooth)
        values = values.to(sizes.dtype)
        if spec.window > 1:
            values = values.unfold(0, spec.window, 1).movedim(-1, 1).contiguous()
        return values


def cut(component: Component, inputs: Tensors, first: int, stop: int) -> Tensors:
    """Return the inputs of the steps first, ..., stop - 1."""
    static = {spec.name for spec in component.inputs if spec.static}
    return {name: value if name in static else value[first:stop] for name, value in inputs.items()}


def run(component: Component, case: Case) -> tuple[Tensors, Tensors]:
    """Return (outputs, state) of `sequence` off the tape; the arguments are dicts of its own."""
    with torch.no_grad():
        return component.sequence(dict(case.state), dict(case.inputs), case.times)


def run_steps(component: Component, case: Case) -> tuple[Tensors, Tensors]:
    """Return (outputs with time first, state) of `step` in a loop, off the tape."""
    collected: list[Tensors] = []
    state = dict(case.state)
    with torch.no_grad():
        for index, time in enumerate(case.times):
            outputs, state = component.step(state, step_inputs(component, case.inputs, index), time)
            collected.append(outputs)
    return {name: torch.stack([outputs[name] for outputs in collected]) for name in collected[0]}, state


def step_inputs(component: Component, inputs: Tensors, index: int) -> Tensors:
    """Return what `step` receives at one step."""
    static = {spec.name for spec in component.inputs if spec.static}
    return {name: value if name in static else value[index] for name, value in inputs.items()}


def clones(tensors: Tensors) -> Tensors:
    """Return copies with memory of their own."""
    return {name: value.detach().clone() for name, value in tensors.items()}


def copies_of(component: Component) -> Callable[[], Component]:
    """Return a factory that copies a component."""
    return lambda: deepcopy(component)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from streams of a seed inside, as a run file's seed does, and put all streams back."""
    old_python, old_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(old_python)
            np.random.set_state(old_numpy)


def along(specs: Sequence[FieldSpec], tensors: Tensors, dim: str, index: Tensor) -> Tensors:
    """Return the tensors with their places along a dim of their own picked by index; others as they are."""
    dims = {spec.name: spec.dims for spec in specs}
    return {
        name: value.index_select(dims[name].index(dim) - len(dims[name]), index) if dim in dims[name] else value
        for name, value in tensors.items()
    }
