"""What a graph needs to run as a BMI model, from the arguments of as_bmi and from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from crest_bmi.config import ExportConfig
from crest_core import (
    Component,
    ComponentError,
    CrestError,
    FieldError,
    Graph,
    Grid,
    GridError,
    Prepared,
    SafetensorsStore,
    Sizes,
    StateError,
    Tensors,
    prepare,
    registry,
)

Values = Mapping[str, Any]
_NO_GRID = (int, float, str, list, tuple, dict, np.generic, np.ndarray, torch.Tensor)  # Grid is a shape of classes


@dataclass(frozen=True)
class Setup:
    """The arguments of as_bmi."""

    model: Component | None = None
    grid: Grid | int | None = None
    forcing: Values | xr.Dataset = field(default_factory=dict)
    state: Tensors | None = None
    start: Any = None
    names: Mapping[str, str] = field(default_factory=dict)
    dtype: torch.dtype | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Raise an error for an argument of another kind, when the class is made and not in the middle of a run."""
        if self.model is not None and not isinstance(self.model, Component):
            raise ComponentError(
                f"as_bmi: expected a component or graph, got a {type(self.model).__name__}; a torch module becomes a "
                f"component with the backend 'torch'"
            )
        counted = isinstance(self.grid, int) and not isinstance(self.grid, bool) and self.grid > 0
        if isinstance(self.grid, _NO_GRID) and not counted:
            raise GridError(f"as_bmi: grid={self.grid!r}: expected a number of cells of 1 or more, or a grid")
        if self.dtype not in (None, torch.float32, torch.float64):
            raise FieldError(f"as_bmi: dtype={self.dtype!r}: expected torch.float32 or torch.float64")

    def configured(self, config: ExportConfig) -> Setup:
        """Return the setup with what a configuration adds, or puts in place of it."""
        found = self
        if config.component is not None:
            found = replace(found, model=_load(config.component, config.arguments))
        if config.weights is not None and found.model is not None:
            weighted = deepcopy(found.model)
            weighted.load_weights(config.weights)
            found = replace(found, model=weighted)
        if config.restart is not None:
            found = replace(found, state=SafetensorsStore(config.restart).load()[0])
        if config.forcing:
            if isinstance(found.forcing, xr.Dataset):
                raise ComponentError("configuration: the key forcing does not go with a Dataset as forcing")
            found = replace(found, forcing={**found.forcing, **config.forcing})
        grid = config.grid.build() if config.grid else config.cells
        dtype = getattr(torch, config.dtype) if config.dtype else self.dtype
        return replace(found, grid=grid or self.grid, start=config.start or self.start, dtype=dtype)

    def graph(self) -> Graph:
        """Return a copy of the graph, for one instance alone."""
        if self.model is None:
            raise ComponentError(
                "a CREST BMI model needs a graph: name one in the configuration (component: NAME), or use as_bmi(graph)"
            )
        model = deepcopy(self.model)
        graph = model if isinstance(model, Graph) else Graph({"model": model})
        return graph.eval()

    def series(self, graph: Graph) -> Prepared | None:
        """Return the run over a Dataset, None where the forcing is none."""
        if not isinstance(self.forcing, xr.Dataset):
            return None
        run = prepare(graph, self.forcing, start=self.start, state=self.state, dtype=self.dtype)
        if run.sizes.lead:
            raise ComponentError("the forcing has a dim member or sample, which BMI does not know; select one")
        return run

    def sizes(self, graph: Graph) -> Sizes:
        """Return the sizes of the grid, in the number type of the parameters where none is asked for."""
        dtype = self.dtype or next((one.dtype for one in graph.parameters()), torch.float32)
        grid = 1 if self.grid is None else self.grid
        dims = {"cell": grid} if isinstance(grid, int) else dict(grid.sizes)
        return Sizes(dims, (), dtype)

    def first_state(self, graph: Graph, sizes: Sizes) -> Tensors:
        """Return the state to begin with; StateError where the one given does not fit."""
        fresh = graph.initial_state(sizes)
        if self.state is None:
            if graph.history:
                raise StateError(
                    f"the windows of {sorted(graph.history)} need earlier forcing: give state=, as from prepare(...)"
                )
            return fresh
        forms = [{name: (tuple(v.shape), v.dtype) for name, v in one.items()} for one in (fresh, self.state)]
        wrong = sorted(name for name in {**forms[0], **forms[1]} if forms[0].get(name) != forms[1].get(name))
        if wrong:
            told = ", ".join(f"{name}: expected {forms[0].get(name)}, got {forms[1].get(name)}" for name in wrong)
            raise StateError(f"the state does not fit the graph: {told}")
        return self.state


def _load(name: str, arguments: Mapping[str, Any]) -> Component:
    """Return a registered component, built; ComponentError where its constructor fails."""
    kind = registry().load("components", name)
    try:
        model = kind(**arguments)
    except CrestError:
        raise
    except Exception as error:  # code of a plugin
        raise ComponentError(
            f"configuration: component {name!r} with {dict(arguments)} raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, Component):
        raise ComponentError(f"component {name!r} gives a {type(model).__name__}, no Component")
    return model


def spread(name: str, value: Any, size: int, kind: np.dtype[Any]) -> np.ndarray:
    """Return one number or one for each place as a flat array."""
    try:
        given = np.asarray(value)
    except ValueError:  # rows that differ in length
        given = np.array(None)
    if given.dtype.kind not in "iuf":
        raise FieldError(f"forcing {name}: expected one number or {size}, got {value!r}")
    values = given.astype(kind).reshape(-1)
    if values.size not in (1, size):
        raise ComponentError(f"forcing {name}: expected one number or {size}, got {values.size}")
    return np.broadcast_to(values, (size,)).copy()
