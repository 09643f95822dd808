"""A compiled JAX function on torch's gradient tape: value, pullback, and pullback of the pullback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import torch
from jax.tree_util import PyTreeDef
from torch import Tensor

from crest_core import ComponentError, CrestError
from crest_jax.exchange import check_results, precision, to_jax, to_torch

Mask = tuple[bool, ...]


class Compiled:
    """A pure JAX function of pytrees, compiled once for each structure, shape and number type of its arguments.

    Called with pytrees of tensors it returns a pytree of tensors. The compiled forward run hands out its pullback, so
    that a backward pass does not run forward again. A derivative of any order is a JAX function too: second derivatives
    (`create_graph=True`) work where JAX has them.
    """

    def __init__(self, function: Callable[..., Any], name: str, *, checked: bool = True) -> None:
        self.function, self.name, self.checked = function, name, checked
        self._value = jax.jit(self._flat, static_argnums=0)
        self._linear = jax.jit(self._linearise, static_argnums=(0, 1))
        self._pull = jax.jit(lambda pull, cotangents: pull(cotangents))
        self._gradients: dict[tuple[PyTreeDef, Mask], Compiled] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        """Return itself: it holds no parameters, and copies of a component share what is compiled."""
        return self

    def __call__(self, *trees: Any) -> Any:
        """Return the results for pytrees of tensors, on the tape where a tensor asks for a gradient."""
        tensors, structure = jax.tree.flatten(trees)
        call = _Call(self, structure)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            results = _Tape.apply(call, *tensors)
        else:
            results = call.value(tensors)
        return jax.tree.unflatten(call.results, results)

    def gradient(self, structure: PyTreeDef, mask: Mask) -> Compiled:
        """Return the function (leaves, cotangents) -> gradients of those leaves that the mask names."""
        if (structure, mask) not in self._gradients:

            def gradient(leaves: Sequence[Any], cotangents: Sequence[Any]) -> Any:
                results, pull = self._linearise(structure, mask, *leaves)
                return pull(jax.tree.unflatten(jax.tree.structure(results), cotangents))

            self._gradients[structure, mask] = Compiled(gradient, f"gradient of {self.name}", checked=False)
        return self._gradients[structure, mask]

    def _flat(self, structure: PyTreeDef, *leaves: Any) -> Any:
        return self.function(*jax.tree.unflatten(structure, leaves))

    def _linearise(self, structure: PyTreeDef, mask: Mask, *leaves: Any) -> Any:
        """Return results and pullback with respect to the leaves that the mask names."""

        def function(*moving: Any) -> Any:
            values = iter(moving)
            return self._flat(structure, *(next(values) if m else leaf for leaf, m in zip(leaves, mask, strict=True)))

        return jax.vjp(function, *(leaf for leaf, m in zip(leaves, mask, strict=True) if m))


class _Call:
    """One call: which function with arguments of which structure, and the structure of its results once known."""

    def __init__(self, compiled: Compiled, structure: PyTreeDef) -> None:
        self.compiled, self.structure = compiled, structure
        self.results: PyTreeDef | None = None

    def value(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the leaves of the results."""
        with precision(tensors):
            return self._received(tensors, self._run(self.compiled._value, self.structure, *map(to_jax, tensors)))

    def linear(self, tensors: Sequence[Tensor], mask: Mask) -> tuple[tuple[Tensor, ...], Any]:
        """Return the leaves of the results, and the pullback."""
        with precision(tensors):
            results, pull = self._run(self.compiled._linear, self.structure, mask, *map(to_jax, tensors))
            return self._received(tensors, results), pull

    def pulled(self, pull: Any, tensors: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradients that a pullback gives."""
        with precision([*tensors, *cotangents]):
            tree = jax.tree.unflatten(self.results, list(map(to_jax, cotangents)))
            return [to_torch(gradient) for gradient in self.compiled._pull(pull, tree)]

    def _received(self, tensors: Sequence[Tensor], results: Any) -> tuple[Tensor, ...]:
        leaves, self.results = jax.tree.flatten(results)
        if self.compiled.checked:  # a gradient has the number type of its argument, which may be the narrower one
            check_results(self.compiled.name, tensors, leaves)
        return tuple(map(to_torch, leaves))

    def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except CrestError:
            raise
        except (TypeError, ValueError, RuntimeError) as error:  # what JAX raises while it traces
            reason = " ".join(str(error).split())
            raise ComponentError(f"function {self.compiled.name}: {type(error).__name__}: {reason}") from error


class _Tape(torch.autograd.Function):
    """A call on the tape; torch's version counters watch the memory that it shares with JAX."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call, ctx.mask = call, tuple(ctx.needs_input_grad[1:])
        ctx.save_for_backward(*tensors)
        results, ctx.pull = call.linear(tensors, ctx.mask)
        return results

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        tensors = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            gradients = ctx.call.compiled.gradient(ctx.call.structure, ctx.mask)(list(tensors), list(cotangents))
        else:
            gradients = ctx.call.pulled(ctx.pull, tensors, cotangents)
        found = iter(gradients)
        return None, *(next(found) if needed else None for needed in ctx.mask)
