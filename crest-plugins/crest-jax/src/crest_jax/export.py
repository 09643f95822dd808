"""as_jax: a CREST graph or component as a JAX function, with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from crest_core import Component, ComponentError, GradientError, Tensors
from crest_jax.shapes import check_groups, result_shapes

Arrays = dict[str, Any]
JaxFunction = Callable[[Arrays, Arrays, Arrays], tuple[Arrays, Arrays]]


def as_jax(
    component: Component, *, times: Sequence[Any] | None = None, sizes: Mapping[str, int] | None = None
) -> JaxFunction:
    """Return `f(parameters, state, inputs) -> (outputs, new state)`, dicts of arrays by name, for jit, grad and vmap.

    `parameters` are named as in `component.named_parameters()`; those left out keep the values of the component. Start
    from `jax_values(dict(component.named_parameters()))`. Torch runs in `jax.pure_callback`; a gradient runs the
    component again, since a tape cannot be kept there, so that value and gradient cost two forward runs and one
    backward. First derivatives in reverse mode only. Where the component blocks a gradient it is zero here: read
    `graph.gradient_report()`. `times` are handed to the component, 0, 1, ... if None; `sizes` gives dims that the
    inputs do not have.

    >>> from crest_core.testing import LinearReservoir
    >>> f = as_jax(LinearReservoir())
    >>> state, inputs = {"stored": jnp.zeros(1)}, {"runoff": jnp.ones((3, 1))}
    >>> gradient = jax.grad(lambda inputs: f({}, state, inputs)[0]["streamflow"][-1, 0])(inputs)["runoff"]
    >>> [round(float(value), 3) for value in gradient.flatten()]
    [0.128, 0.16, 0.2]
    """
    if not isinstance(component, Component):
        raise ComponentError(f"as_jax: expected a component or a graph, got {type(component).__name__}")
    torch_side = _TorchSide(component, times)

    @jax.custom_vjp
    def run(parameters: Arrays, state: Arrays, inputs: Arrays) -> Any:
        shapes = result_shapes(component, parameters, state, inputs, sizes=sizes or {}, times=times)
        return jax.pure_callback(torch_side.value, shapes, parameters, state, inputs, vmap_method="sequential")

    def forward(parameters: Arrays, state: Arrays, inputs: Arrays) -> Any:
        return run(parameters, state, inputs), (parameters, state, inputs)

    def backward(arguments: tuple[Arrays, Arrays, Arrays], cotangents: Any) -> Any:
        return _with_zeros(arguments, _first_order(torch_side.gradient, _real(arguments))(arguments, cotangents))

    run.defvjp(forward, backward)

    def function(parameters: Arrays, state: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
        check_groups(component, parameters, state, inputs)
        outputs, new_state = run(*jax.tree.map(jnp.asarray, (dict(parameters), dict(state), dict(inputs))))
        return outputs, new_state

    return function


def jax_values(tensors: Mapping[str, Tensor]) -> Arrays:
    """Return copies of tensors as JAX arrays; float64 needs JAX's x64, it is never made float32 in silence."""
    wide = sorted(name for name, value in tensors.items() if value.dtype in (torch.float64, torch.int64))
    if wide and jax.dtypes.canonicalize_dtype(np.float64) != np.float64:  # x64 is off
        raise ComponentError(
            f"{wide} are 64-bit numbers, which JAX would round to 32 bits: turn them on with "
            f'jax.config.update("jax_enable_x64", True), or set JAX_ENABLE_X64=1 before Python starts; or convert the '
            f"component with .float()"
        )
    return {name: jnp.array(value.detach().cpu().numpy()) for name, value in tensors.items()}


class _TorchSide:
    """What runs inside the callbacks; one at a time, since parameters are put into the component for the call."""

    def __init__(self, component: Component, times: Sequence[Any] | None) -> None:
        self.component, self.times, self.lock = component, times, Lock()

    def value(self, *arguments: Arrays) -> Any:
        """Return outputs and new state as numpy arrays."""
        with self.lock, torch.no_grad():
            results = self._run(*(_tensors(group) for group in arguments))
        return tuple({name: value.numpy(force=True) for name, value in group.items()} for group in results)

    def gradient(self, arguments: tuple[Arrays, Arrays, Arrays], cotangents: tuple[Arrays, Arrays]) -> list[Any]:
        """Return the gradients of all arguments that are real numbers, in the order of their leaves."""
        with self.lock, torch.enable_grad():
            groups = [_tensors(group) for group in arguments]
            leaves = [value for value in jax.tree.leaves(groups) if value.is_floating_point()]
            for leaf in leaves:
                leaf.requires_grad_()
            results = jax.tree.leaves(self._run(*groups))
            pairs = [
                (result, weight)
                for result, weight in zip(
                    results, jax.tree.leaves([_tensors(part) for part in cotangents]), strict=True
                )
                if result.requires_grad
            ]
            found: Sequence[Tensor | None] = [None] * len(leaves)
            if pairs:
                heads, weights = zip(*pairs, strict=True)
                found = torch.autograd.grad(heads, leaves, weights, allow_unused=True)
        return [
            (torch.zeros_like(leaf) if value is None else value).numpy(force=True)
            for leaf, value in zip(leaves, found, strict=True)
        ]

    def _run(self, parameters: Tensors, state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        moving = [inputs[spec.name] for spec in self.component.inputs if not spec.static]
        times = range(len(moving[0])) if self.times is None and moving else self.times
        outputs, new_state = torch.func.functional_call(self.component, parameters, (state, inputs, times))
        return outputs, new_state


def _tensors(group: Arrays) -> Tensors:
    return {name: torch.tensor(np.asarray(value)) for name, value in group.items()}


def _real(arguments: Any) -> list[Any]:
    """Return shapes and types of the leaves that are real numbers."""
    leaves = [leaf for leaf in jax.tree.leaves(arguments) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]


def _with_zeros(arguments: Any, gradients: Sequence[Any]) -> Any:
    """Return the gradients in the structure of the arguments, with JAX's empty ones for integers."""
    found = iter(gradients)
    return jax.tree.map(
        lambda leaf: (
            next(found) if jnp.issubdtype(leaf.dtype, jnp.floating) else np.zeros(leaf.shape, jax.dtypes.float0)
        ),
        arguments,
    )


def _first_order(gradient: Callable[..., Any], shapes: Any) -> Callable[..., Any]:
    """Return the callback of a gradient, which refuses to be differentiated again."""

    @jax.custom_vjp
    def run(arguments: Any, cotangents: Any) -> Any:
        return jax.pure_callback(gradient, shapes, arguments, cotangents, vmap_method="sequential")

    def refuse(*_: Any) -> Any:
        raise GradientError(
            "a function made by as_jax has first derivatives only; take second ones in torch, where the component has "
            "them, or by differences of gradients"
        )

    run.defvjp(refuse, refuse)
    return run
