"""KerasModule: a Keras model as a torch module, its variables as torch parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crest_core import ComponentError, CrestError
from crest_core.plugins import registry
from crest_keras.structure import Structure


class KerasModule(nn.Module):
    """A Keras model as a module: `module(**tensors)`, with `state` a tensor or tuple of them where there are states.

    It returns the result, or a tuple of results; with states `(result, new state)`. Under Keras's torch backend the
    model runs in torch itself; under its JAX backend it is compiled, through the backend "jax-module" of crest-jax.
    Parameters have the same names in both, "params/lstm/lstm_cell/kernel". It always runs in inference: dropout is off
    and statistics of batches are those of training. Seeds are constants; float32 or float64 as its parameters are.

    >>> from crest_keras.library import keras_library
    >>> keras = keras_library()
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    >>> module = KerasModule(model, inputs=("x",), outputs=("y",))
    >>> module(x=torch.ones(5, 2)).shape, [name for name, _ in module.named_parameters()]
    (torch.Size([5, 1]), ['inner.params/head/kernel', 'inner.params/head/bias'])
    """

    def __init__(
        self, model: Any, *, inputs: Sequence[str], outputs: Sequence[str], states: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.structure = Structure(model, inputs=inputs, states=states, outputs=outputs)
        values = self.structure.values()
        native = self.structure.keras.backend.backend() == "torch"
        bridge = _TorchFunction if native else registry().load("backends", "jax-module")
        self.inner: nn.Module = bridge(self.structure.function, values)
        for name in self.structure.frozen():
            self.inner.get_parameter(f"params/{name}").requires_grad_(False)

    def forward(self, state: Any = None, **arrays: Tensor) -> Any:
        """Return the result, or results and the new state."""
        memory = (state,) if isinstance(state, Tensor) else tuple(state or ())
        arrays |= dict(zip(self.structure.states, memory, strict=True))
        kind = next(value.dtype for value in (*self.inner.parameters(), *arrays.values()))
        device = next(iter(arrays.values())).device
        self.structure.prepare(str(kind).removeprefix("torch."))
        with self.structure.keras.device("cpu" if device.type == "cpu" else f"gpu:{device.index or 0}"):
            found = self.inner(**arrays)
        count = len(self.structure.outputs)
        result = found[0] if count == 1 else tuple(found[:count])
        if not self.structure.states:
            return result
        return result, found[count] if len(memory) == 1 else tuple(found[count:])

    def extra_repr(self) -> str:
        """Return the name of the model and a hash of its configuration, for print and the graph hash."""
        return self.structure.describe()


class _TorchFunction(nn.Module):
    """`function(parameters, **tensors)` with named parameters: what JaxModule is for JAX, natively in torch."""

    def __init__(self, function: Callable[..., Any], parameters: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.function, self.names = function, tuple(parameters)
        for name, value in parameters.items():
            self.register_parameter(f"params/{name}", nn.Parameter(torch.tensor(value)))

    def forward(self, **arrays: Tensor) -> Any:
        """Return what the function returns."""
        try:
            return self.function({name: self._parameters[f"params/{name}"] for name in self.names}, **arrays)
        except (ValueError, TypeError) as error:  # what Keras raises for shapes that do not fit
            if isinstance(error, CrestError):
                raise
            raise ComponentError(" ".join(str(error).split())) from error
