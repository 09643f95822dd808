"""JaxModule: a pure JAX function as a torch module, its parameters as torch parameters."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor, nn

from crest_core import ComponentError, FieldError
from crest_jax.exchange import to_torch
from crest_jax.tape import Compiled

Function = Callable[..., Any]


class JaxModule(nn.Module):
    """`function(parameters, **arrays)` as a module: `module(**tensors)` returns its pytree with tensors.

    Leaves of `parameters` that hold real numbers become torch parameters named by their path, "params/layers/0/weight";
    other leaves (integers, keys, functions) are constants. The function is compiled and differentiated by JAX; its
    results and gradients share memory with torch. It must be pure: what it prints, counts or draws from a hidden
    generator happens when it is compiled, or never, and nothing can detect that.

    >>> import jax.numpy as jnp
    >>> module = JaxModule(lambda p, x: jnp.tanh(p["k"] * x), {"k": 2.0})
    >>> y = module(x=torch.tensor([0.0]))
    >>> y.backward()
    >>> {name: value.grad.item() for name, value in module.named_parameters()}
    {'params/k': 0.0}
    """

    def __init__(self, function: Function, parameters: Any) -> None:
        super().__init__()
        paths, structure = jax.tree_util.tree_flatten_with_path(parameters)
        self.function_name = name_of(function)
        self.trained: list[str] = []
        constants: list[Any] = []
        for path, leaf in paths:
            name = f"params/{jax.tree_util.keystr(path, simple=True, separator='/')}".rstrip("/")
            value = _parameter(name, leaf)
            constants.append(leaf if value is None else None)
            if value is None:
                continue
            if "." in name or name in self._parameters:
                raise FieldError(f"parameter {name}: expected keys without dots that differ as text; rename it")
            self.register_parameter(name, value)
            self.trained.append(name)
        fixed = [value is not None for value in constants]
        self.constants_hash = _hash([value for value, is_fixed in zip(constants, fixed, strict=True) if is_fixed])

        def call(trained: list[Any], arrays: dict[str, Any]) -> Any:
            values = iter(trained)
            leaves = [old if is_fixed else next(values) for old, is_fixed in zip(constants, fixed, strict=True)]
            return function(jax.tree.unflatten(structure, leaves), **arrays)

        self.compiled = Compiled(call, self.function_name)

    def forward(self, **arrays: Any) -> Any:
        """Return what the function returns, for tensors or tuples of tensors by the names of its arguments."""
        return self.compiled([self._parameters[name] for name in self.trained], arrays)

    def extra_repr(self) -> str:
        """Return the function and a hash of its constants, for print and the graph hash."""
        return self.function_name + (f", constants {self.constants_hash}" if self.constants_hash else "")


def name_of(function: Function) -> str:
    """Return how messages call a function."""
    return str(getattr(function, "__qualname__", type(function).__name__))


def check_arguments(function: Function, positional: int, names: list[str]) -> None:
    """Raise FieldError for a function that cannot be called with so many positional arguments and these names."""
    signature = inspect.signature(function)
    try:
        signature.bind(*[None] * positional, **dict.fromkeys(names))
    except TypeError as error:
        raise FieldError(
            f"function {name_of(function)}{signature} cannot be called with {positional} positional arguments and "
            f"{names}: {error}; name each input map, and state_argument, as an argument"
        ) from error


def _parameter(name: str, leaf: Any) -> nn.Parameter | None:
    """Return a leaf of real numbers as a parameter with memory of its own, None for any other."""
    if isinstance(leaf, float):
        return nn.Parameter(torch.tensor(leaf))
    if isinstance(leaf, Tensor):
        return nn.Parameter(leaf.detach().clone())
    if not isinstance(leaf, np.ndarray | np.generic | jax.Array):
        return None
    if jax.dtypes.issubdtype(leaf.dtype, np.complexfloating):
        raise ComponentError(
            f"parameter {name} is {leaf.dtype}: gradients of complex numbers differ between JAX and torch; keep real "
            f"and imaginary parts apart"
        )
    if not jax.dtypes.issubdtype(leaf.dtype, np.floating):
        return None
    held = to_torch(leaf) if isinstance(leaf, jax.Array) else torch.as_tensor(np.asarray(leaf))
    return nn.Parameter(held.clone())


def _hash(constants: list[Any]) -> str:
    """Return the start of a sha256 of what the parameters hold beside real numbers, "" where nothing is."""
    found = hashlib.sha256()
    for value in constants:
        array = isinstance(value, np.ndarray | np.generic | jax.Array)
        if array and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
            value = jax.random.key_data(value)
        found.update(
            np.asarray(value).tobytes() if array else (name_of(value) if callable(value) else str(value)).encode()
        )
    return found.hexdigest()[:16] if constants else ""
