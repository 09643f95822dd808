"""as_bmi: any CREST graph as a model with the Basic Model Interface, for pymt and NextGen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from crest_bmi.array_bmi import ArrayBmi, ArrayVariable
from crest_bmi.config import read_config
from crest_bmi.export_setup import Setup, Values, spread
from crest_bmi.layout import Layout
from crest_core import (
    Component,
    ComponentError,
    FieldError,
    FieldSpec,
    Graph,
    Grid,
    Sizes,
    Tensors,
    flushed_denormals,
    parse_time,
    parse_timestep,
)
from crest_core.plugins import near

STATE = "state."
EPOCH = "1970-01-01"  # date of time 0.0 where none is given, in the standard calendar


class GraphBmi(ArrayBmi):
    """A CREST graph as a BMI model; `as_bmi` gives it the graph, or the configuration names a registered one.

    Variables are named as the graph's forcing and outputs, or as `names` says. States are "state." and their name:
    not listed, but read and set as others. Outputs are nan before the first step.
    """

    setup: Setup = Setup()
    _name = ""

    @classmethod
    def state_names(cls) -> tuple[str, ...]:
        """Return the names under which the states of the graph are read and set."""
        return tuple(f"{STATE}{spec.name}" for spec in cls.setup.graph().states)

    def get_component_name(self) -> str:
        return self._name or self.setup.name or "CREST graph"

    def initialize(self, config_file: str = "") -> None:
        setup = self.setup.configured(read_config(config_file)) if config_file else self.setup
        self._graph = graph = setup.graph()
        self._name = setup.name or f"CREST {', '.join(graph.components)}"
        self._series = run = setup.series(graph)
        self._sizes = run.sizes if run else setup.sizes(graph)
        self._step = parse_timestep(graph.timestep)
        self._start = run.clock.start if run else parse_time(EPOCH if setup.start is None else setup.start)
        state = run.state if run else setup.first_state(graph, self._sizes)
        places = None if setup.grid is None or isinstance(setup.grid, int) else setup.grid
        self._declare(setup, state, Layout(graph, places))
        self._read_forcing()

    def advance(self) -> None:
        graph, index = self._graph, round(self._now / self._seconds)
        time = self._start + index * self._step
        inputs = {name: values.clone() for name, values in self._views["input"].items()}
        unset = sorted(name for name, values in inputs.items() if bool(values.isnan().any()))
        if unset:
            raise ComponentError(
                f"{self._name} at {time}: the inputs {unset} hold nan; set_value them, or give as_bmi or the "
                f"configuration their first values as forcing"
            )
        state = {name: values.clone() for name, values in self._views["state"].items()}
        with torch.no_grad(), flushed_denormals():
            outputs, state = graph.step(state, inputs, time)
            graph.check_outputs({name: values.unsqueeze(0) for name, values in outputs.items()}, [time], self._sizes)
        for group, values in (("output", outputs), ("state", state)):
            for name, view in self._views[group].items():
                view.copy_(values[name])
        self._read_forcing(index + 1)

    def _declare(self, setup: Setup, state: Tensors, layout: Layout) -> None:
        """Make the arrays of all variables, and the views on them in the shapes of the graph."""
        graph, kind = self._graph, np.zeros(0, str(self._sizes.dtype).removeprefix("torch.")).dtype
        forcing: Values = {} if isinstance(setup.forcing, xr.Dataset) else setup.forcing
        known = [spec.name for spec in graph.inputs]
        for name in forcing:
            if name not in known:
                raise FieldError(f"forcing {name!r} is no input of the graph{near(name, known)}; inputs: {known}")
        names = bmi_names(graph, setup.names)
        variables: dict[str, ArrayVariable] = {}
        self._views: dict[str, Tensors] = {"input": {}, "output": {}, "state": {}}

        def add(group: str, spec: FieldSpec, bmi_name: str, shape: tuple[int, ...], values: Any, grid: Any) -> None:
            number = layout.number(spec.dims, shape, grid)
            variables[bmi_name] = ArrayVariable(values, spec.units, number, settable=group != "output")
            self._views[group][spec.name] = torch.from_numpy(values).reshape(shape)

        for spec in graph.inputs:
            grid = graph.forcing_grids[spec.name]
            shape = self._shape(spec, grid)
            values = spread(spec.name, forcing.get(spec.name, np.nan), int(np.prod(shape)), kind)
            add("input", spec, names["input", spec.name], shape, values, grid)
        for spec in graph.outputs:
            grid = graph.components[graph.output_ports[spec.name].component].grid
            shape = self._shape(spec, grid)
            add("output", spec, names["output", spec.name], shape, np.full(int(np.prod(shape)), np.nan, kind), grid)
        places = state_grids(graph)
        for spec in graph.states:
            value, grid = state[spec.name], places.get(spec.name)
            add("state", spec, f"{STATE}{spec.name}", tuple(value.shape), value.numpy(force=True).ravel().copy(), grid)
        self.begin(
            variables,
            layout.grids,
            inputs=[names["input", spec.name] for spec in graph.inputs],
            outputs=[names["output", spec.name] for spec in graph.outputs],
            seconds=self._step.total_seconds(),
        )

    def _shape(self, spec: FieldSpec, grid: str | None) -> tuple[int, ...]:
        own = self._graph.grids[grid].sizes if grid else {}
        sizes = Sizes({**self._sizes.dims, **own, **self._graph.dim_sizes}, (), self._sizes.dtype)
        return sizes.shape(spec)

    def _read_forcing(self, index: int = 0) -> None:
        """Take the inputs of the next step from the Dataset; past its end they are nan."""
        if self._series is None:
            return
        inside = index < len(self._series.clock)
        values = self._series.inputs(index, index + 1) if inside else {}
        for spec in self._graph.inputs:
            view: Tensor = self._views["input"][spec.name]
            if inside:
                view.copy_(values[spec.name] if spec.static else values[spec.name][0])
            elif not spec.static:
                view.fill_(float("nan"))


def as_bmi(
    model: Component,
    *,
    grid: Grid | int | None = None,
    forcing: Values | xr.Dataset | None = None,
    state: Tensors | None = None,
    start: Any = None,
    names: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
    name: str = "",
) -> type[GraphBmi]:
    """Return a class of BMI models that run a component or graph; each instance has a copy of its own.

    `grid` is the places, or a number of cells (1). `forcing` is values that inputs have until set_value, in the units
    of the fields, or a Dataset that is read step by step, until it ends. `state` is the state to begin with. `start` is
    the date of time 0.0, 1970-01-01 of the standard calendar if left out. `names` gives fields other names, as
    {"runoff": "land_surface_water__runoff_volume_flux"}.
    The class takes a configuration file or none; see ExportConfig for its keys.

    >>> from crest_core.testing import LinearReservoir
    >>> model = as_bmi(LinearReservoir())()
    >>> model.initialize()
    >>> model.get_time_units(), model.get_time_step()
    ('s', 86400.0)
    """
    setup = Setup(model, grid, {} if forcing is None else forcing, state, start, dict(names or {}), dtype, name)
    bmi_names(setup.graph(), setup.names)
    return type("GraphBmi", (GraphBmi,), {"setup": setup, "__doc__": GraphBmi.__doc__, "__module__": __name__})


def bmi_names(graph: Graph, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the BMI name of every input and output; an output that an input's name meets is component_field."""
    inputs, ports = [spec.name for spec in graph.inputs], graph.output_ports
    if unknown := sorted(set(names) - set(inputs) - set(ports)):
        known = [*inputs, *ports]
        raise FieldError(f"names= has {unknown}{near(unknown[0], known)}; fields of the graph: {known}")
    found = {("input", name): names.get(name, name) for name in inputs}
    for name, port in ports.items():
        own = f"{port.component}_{port.field}" if name in inputs else name
        found["output", name] = own if name in inputs else names.get(name, own)
    taken = list(found.values())
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        raise FieldError(f"two fields of the graph would be called {twice}; give one another name in names=")
    return found


def state_grids(graph: Graph) -> dict[str, str | None]:
    """Return the named grid of every state: that of its component, of what a connection keeps that of what it is."""
    grids = {name: child.grid for name, child in graph.components.items()}
    found = {f"{name}.{spec.name}": grids[name] for name, child in graph.components.items() for spec in child.states}
    for link in graph.links:
        target = grids[link.target.component]
        found[f"{link.target}.lag"] = grids.get(link.source.component, target)
        found[f"{link.target}.window"] = target
    return found
