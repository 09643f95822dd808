"""NumpyComponent: a plain function of arrays as a black-box component, and the decorator that makes one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from crest_core import (
    HORIZONTAL,
    BlackBoxComponent,
    ComponentError,
    FieldError,
    FieldSpec,
    FiniteDifference,
    Gradient,
    GradientError,
    Sizes,
    Tensors,
)

Function = Callable[..., Any]


class NumpyComponent(BlackBoxComponent):
    """A black box around a function of float64 arrays; `numpy_component` makes its subclasses.

    Parameters that are not given have the defaults of the decorator; gradients are central finite differences unless
    another strategy is given.
    """

    function: ClassVar[Function]
    initial: ClassVar[Mapping[str, float]]
    defaults: ClassVar[Mapping[str, float]]
    columnwise: ClassVar[bool]
    results: ClassVar[tuple[str, ...]]
    """What the function returns: the outputs, then those states that are no outputs."""

    def __init__(
        self, *, parameters: Mapping[str, float | Tensor] | None = None, gradient: Gradient | None = None
    ) -> None:
        if gradient is not None and not isinstance(gradient, Gradient):
            raise GradientError(
                f"component {type(self).__name__}: gradient {gradient!r} is no strategy; expected FiniteDifference(), "
                f"SPSA(generator) or NoGradient()"
            )
        super().__init__(gradient=gradient or FiniteDifference(), parameters={**self.defaults, **(parameters or {})})

    def extra_repr(self) -> str:
        """Return what else decides the results, for print and the graph hash."""
        return f"{self.function.__name__}, initial {dict(self.initial)}, columnwise {self.columnwise}"

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the initial values of the decorator everywhere, float64."""
        own = Sizes({**sizes.dims, **self.dim_sizes}, sizes.lead, torch.float64, sizes.device)
        return {spec.name: own.full(spec, self.initial[spec.name]) for spec in self.states}

    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return (outputs, new state) of one call of the function, or of one a column."""
        given = {name: value.numpy() for name, value in {**inputs, **state, **parameters}.items()}
        for array in given.values():  # they are views of what the gradient is taken at
            array.flags.writeable = False
        try:
            returned = self._columns(given) if self.columnwise else self.function(**given)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ComponentError(
                f"function {self.function.__name__} changes an argument in place ({error}); compute new arrays instead"
            ) from error
        values = returned if isinstance(returned, tuple) else (returned,)
        if len(values) != len(self.results):
            raise ComponentError(
                f"function {self.function.__name__}: expected the {len(self.results)} results {list(self.results)}, "
                f"got {len(values)}; return them as a tuple in this order"
            )
        lead, sizes = self._lead_and_sizes({**inputs, **state})
        specs = {spec.name: spec for spec in (*self.outputs, *self.states)}
        found = {
            name: self._tensor(name, value, (*lead, *(sizes[dim] for dim in specs[name].dims)))
            for name, value in zip(self.results, values, strict=True)
        }
        return {spec.name: found[spec.name] for spec in self.outputs}, {
            spec.name: found[spec.name] for spec in self.states
        }

    def _columns(self, given: Mapping[str, np.ndarray]) -> Any:
        """Return the results of a call for every column, with plain numbers as arguments."""

        def one(*values: float) -> Any:
            return self.function(**dict(zip(given, values, strict=True)))

        return np.vectorize(one, otypes=[np.float64] * len(self.results))(*given.values())

    def _lead_and_sizes(self, values: Tensors) -> tuple[tuple[int, ...], dict[str, int]]:
        """Return the leading dims, and the sizes of all named ones."""
        lead: tuple[int, ...] = ()
        sizes = dict(self.dim_sizes)
        for spec in (*self.inputs, *self.states):
            if set(spec.dims) & set(HORIZONTAL):  # the others arrive spread over all columns
                shape = tuple(values[spec.name].shape)
                own = len(shape) - len(spec.dims)
                sizes |= zip(spec.dims, shape[own:], strict=True)
                lead = shape[: own - (spec.window > 1)]
        return lead, sizes

    def _tensor(self, name: str, value: Any, shape: tuple[int, ...]) -> Tensor:
        """Return a result as a float64 tensor of its own, which a plain number fills."""
        who = f"function {self.function.__name__}: expected {name} as real numbers of shape {shape}"
        if isinstance(value, np.ma.MaskedArray):
            raise ComponentError(f"{who}, got a masked array, whose mask would be lost; fill it: .filled(np.nan)")
        array = np.asarray(value)
        plain = type(value) in (int, float)
        if not plain and shape and array.ndim == 0 and array.dtype.kind in "fiu":
            raise ComponentError(
                f"{who}, got one {array.dtype} for all; return an array, or a plain number if constant"
            )
        try:
            if not plain and array.dtype.kind != "f":
                raise ValueError(f"it holds {array.dtype}")
            return torch.from_numpy(np.array(np.broadcast_to(array, shape), dtype=np.float64))
        except ValueError as error:
            raise ComponentError(f"{who}, got shape {array.shape}: {error}") from error


def numpy_component(
    *,
    inputs: Sequence[FieldSpec] = (),
    outputs: Sequence[FieldSpec],
    states: Mapping[FieldSpec, float] | None = None,
    parameters: Mapping[FieldSpec, float] | None = None,
    columnwise: bool = False,
    independent_columns: bool = True,
    dim_sizes: Mapping[str, int] | None = None,
    timestep: str = "1D",
) -> Callable[[Function], type[NumpyComponent]]:
    """Return a decorator that turns a function into a component class.

    The function takes float64 arrays (*lead, *dims) by the names of inputs, states and parameters, and returns the
    outputs, then those states that are no outputs. `states` has initial values, `parameters` default values, both in
    the units of their field. With `columnwise` the function gets plain numbers, one column at a time, as root finding
    and ODE solvers of SciPy want them: slower, about one call of Python a column.

    >>> rain, runoff = FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="runoff", units="mm day-1")
    >>> storage = FieldSpec(name="storage", units="mm", cell_methods="time: point")
    >>> k = FieldSpec(name="k", units="day-1", dims=(), static=True, bounds=(0.01, 1.0))
    >>> @numpy_component(inputs=(rain,), outputs=(runoff,), states={storage: 10.0}, parameters={k: 0.1})
    ... def reservoir(rain, storage, k):
    ...     return k * storage, storage + rain - k * storage
    >>> model = reservoir(parameters={"k": 0.2})
    >>> outputs, state = model.step({"storage": torch.full((1,), 10.0)}, {"rain": torch.ones(1)}, None)
    >>> round(float(outputs["runoff"]), 6), round(float(state["storage"]), 6)
    (2.0, 9.0)
    """
    states, parameters = _numbers("states", states), _numbers("parameters", parameters)

    def decorate(function: Function) -> type[NumpyComponent]:
        if not inspect.isroutine(function):
            raise FieldError(f"numpy_component decorates functions, got {function!r}")
        _check_arguments(function, [spec.name for spec in (*inputs, *states, *parameters)])
        if columnwise:
            _check_columnwise(function, [*inputs, *states, *outputs, *parameters], independent_columns)
        members = {
            "__module__": function.__module__,
            "__doc__": function.__doc__,
            "function": staticmethod(function),
            "inputs": tuple(inputs),
            "outputs": tuple(outputs),
            "states": tuple(states),
            "parameter_specs": tuple(parameters),
            "initial": {spec.name: value for spec, value in states.items()},
            "defaults": {spec.name: value for spec, value in parameters.items()},
            "results": tuple(dict.fromkeys(spec.name for spec in (*outputs, *states))),
            "columnwise": columnwise,
            "independent_columns": independent_columns,
            "dim_sizes": dict(dim_sizes or {}),
            "timestep": timestep,
        }
        return type(function.__name__, (NumpyComponent,), members)

    return decorate


def _numbers(what: str, given: Mapping[FieldSpec, float] | None) -> dict[FieldSpec, float]:
    """Return a mapping of fields to numbers, checked."""
    if given is not None and not isinstance(given, Mapping):
        raise FieldError(f"{what}: expected a dict of fields and their numbers, {{field: 0.0}}, got {given!r}")
    for spec, value in (given or {}).items():
        if not isinstance(spec, FieldSpec) or not isinstance(value, Real) or isinstance(value, bool):
            raise FieldError(f"{what}: expected a FieldSpec and a number, got {spec!r}: {value!r}")
    return dict(given or {})


def _check_arguments(function: Function, names: Sequence[str]) -> None:
    taken = inspect.signature(function).parameters
    twice = sorted({name for name in names if names.count(name) > 1})
    unknown = [name for name, one in taken.items() if name not in names and one.default is one.empty]
    lost = [name for name in names if name not in taken]
    if twice or unknown or lost:
        raise FieldError(
            f"function {function.__name__} takes {list(taken)}; expected the inputs, states and parameters "
            f"{list(names)} by name; not declared: {unknown}, not taken: {lost}, declared twice: {twice}"
        )


def _check_columnwise(function: Function, specs: Sequence[FieldSpec], independent_columns: bool) -> None:
    deep = [spec.name for spec in specs if set(spec.dims) - set(HORIZONTAL) or spec.window > 1]
    if deep or not independent_columns:
        raise FieldError(
            f"function {function.__name__}: columnwise hands over one number a field and column, but "
            f"{f'{deep} have dims of their own or a window' if deep else 'columns depend on each other'}; take arrays"
        )
