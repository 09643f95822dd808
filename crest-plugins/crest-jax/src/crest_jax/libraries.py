"""Models of equinox and flax, split into a pure function and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import jax

from crest_core import PluginError

Call = Callable[..., Any]


class PureModel(NamedTuple):
    """`function(parameters, **arrays)` and a pytree of parameters: what `jax_component` and JaxModule take."""

    function: Call
    parameters: Any


def equinox_model(model: Any, call: Call | None = None) -> PureModel:
    """Return an equinox model as a pure function, in inference mode: dropout off.

    `call(model, **arrays)` says how it is called, with `jax.vmap` where it takes one sample only; by default
    `model(**arrays)`. Arrays of real numbers are parameters, all else is constant.
    """
    equinox = _library("equinox", "equinox")
    parameters, static = equinox.partition(equinox.nn.inference_mode(model), equinox.is_inexact_array)
    run = call or _plainly

    def function(parameters: Any, **arrays: Any) -> Any:
        return run(equinox.combine(parameters, static), **arrays)

    return PureModel(_named(function, model), parameters)


def linen_model(module: Any, variables: Mapping[str, Any], call: Call | None = None) -> PureModel:
    """Return a flax.linen module with its variables as a pure function; collections beside "params" are constant.

    `call(apply, **arrays)` says how it is called, by default `apply(**arrays)`; `apply` is `module.apply` with the
    variables filled in. A module with dropout needs `call=lambda apply, x: apply(x, deterministic=True)` or the like.
    """
    _library("flax.linen", "flax")
    fixed = {name: value for name, value in variables.items() if name != "params"}
    run = call or _plainly

    def function(parameters: Any, **arrays: Any) -> Any:
        return run(lambda *given, **named: module.apply({**fixed, "params": parameters}, *given, **named), **arrays)

    return PureModel(_named(function, module), variables["params"])


def nnx_model(model: Any, call: Call | None = None) -> PureModel:
    """Return a copy of a flax.nnx model as a pure function, in evaluation mode: dropout off, statistics fixed.

    `call(model, **arrays)` says how it is called, by default `model(**arrays)`. `nnx.Param` are parameters.
    """
    nnx = _library("flax.nnx", "flax")
    copy = nnx.clone(model)
    copy.eval()
    definition, state, rest = nnx.split(copy, nnx.Param, ...)
    run = call or _plainly

    def function(parameters: Any, **arrays: Any) -> Any:
        own = jax.tree.map(lambda leaf: leaf, state)  # a copy of the containers, which are filled in place
        nnx.replace_by_pure_dict(own, parameters)
        return run(nnx.merge(definition, own, rest), **arrays)

    return PureModel(_named(function, model), nnx.to_pure_dict(state))


def _plainly(model: Call, **arrays: Any) -> Any:
    return model(**arrays)


def _named(function: Call, model: Any) -> Call:
    """Return the function under the name of the model's class, for messages and print."""
    function.__qualname__ = type(model).__qualname__
    return function


def _library(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(
            f"{module} cannot be imported ({error}); install it: pip install 'crest-jax[{extra}]'"
        ) from error
