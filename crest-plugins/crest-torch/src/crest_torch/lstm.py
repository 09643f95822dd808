"""An LSTM with a linear head over columns, and the component around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, prod
from pathlib import Path

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, Standardize, TensorMap
from crest_torch.component import TorchComponent

State = tuple[Tensor, Tensor]


class LSTMRegressor(nn.Module):
    """y = W h + b on the hidden state h of an LSTM (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735).

    `forget_bias` is added to the forget gate so that an untrained network remembers: a cell keeps sigmoid(3) = 0.95
    of its content a step, about 20 steps of memory. Weights are drawn uniformly within 1 / sqrt(hidden), as torch
    does, from `generator`, or from torch's own where it is None. Recurrent ones are smaller the longer the memory: what
    they feed back adds up over it, and an untrained network would be chaotic, with gradients that point nowhere.

    >>> y, (h, c) = LSTMRegressor(2, 1, hidden=8)(torch.zeros(30, 5, 2))
    >>> y.shape, h.shape
    (torch.Size([30, 5, 1]), torch.Size([1, 5, 8]))
    """

    def __init__(
        self,
        features: int,
        targets: int,
        *,
        hidden: int,
        layers: int = 1,
        dropout: float = 0.0,
        forget_bias: float = 3.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, targets)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-(hidden**-0.5), hidden**-0.5, generator=generator)
            for layer in range(layers):  # gates are stacked as input, forget, cell, output
                self.lstm.get_parameter(f"bias_hh_l{layer}")[hidden : 2 * hidden] += forget_bias
                self.lstm.get_parameter(f"weight_hh_l{layer}").mul_(_shrinkage(forget_bias))

    def forward(self, x: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        """Return (y, (h, c)): x (time, batch, features), y (time, batch, targets), h and c (layers, batch, hidden)."""
        features, state = self.lstm(x, hx)
        return self.head(self.dropout(features)), state


def _shrinkage(forget_bias: float) -> float:
    """Return the factor with which a small change of h, fed back through half open gates, does not grow: 0.6 < 1.

    The spectral radius of weights uniform within 1 / sqrt(hidden) is 3^-0.5, a cell adds up over 1 + exp(bias) steps.
    """
    return min(1.0, 0.6 / (0.5 * 0.5 * 3.0**-0.5 * (1.0 + exp(forget_bias))))


def lstm_component(
    *,
    inputs: Sequence[FieldSpec],
    outputs: Sequence[FieldSpec],
    scale: Standardize,
    hidden: int,
    layers: int = 1,
    dropout: float = 0.0,
    forget_bias: float = 3.0,
    dim_sizes: Mapping[str, int] | None = None,
    prefix: str = "lstm_",
    timestep: str = "1D",
    generator: torch.Generator | None = None,
    weights: str | Path | None = None,
) -> TorchComponent:
    """Return a component that runs one LSTM in every column, with `scale` for all inputs and outputs.

    Inputs share their dims, the columns. Outputs share theirs: the columns, after dims such as "soil_layer" whose
    sizes are in `dim_sizes`. The states h and c have the dims (prefix + "layer", prefix + "hidden", *columns); two
    LSTMs of different size in one graph need different prefixes.

    >>> rain, runoff = FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="runoff", units="mm day-1")
    >>> scale = Standardize(mean={"rain": 2.0, "runoff": 1.0}, std={"rain": 5.0, "runoff": 2.0})
    >>> model = lstm_component(inputs=(rain,), outputs=(runoff,), scale=scale, hidden=8)
    >>> [spec.dims for spec in model.states]
    [('lstm_layer', 'lstm_hidden', 'cell'), ('lstm_layer', 'lstm_hidden', 'cell')]
    """
    columns, extra = _columns_and_extra(inputs, outputs)
    sizes = dict(dim_sizes or {})
    unknown = [name for name in extra if name not in sizes]
    if unknown:
        raise FieldError(f"output {outputs[0].name}: no size for the dims {unknown}; add it to dim_sizes")
    own = (f"{prefix}layer", f"{prefix}hidden")
    states = tuple(
        FieldSpec(name=name, units="1", dims=(*own, *columns), cell_methods="time: point") for name in ("h", "c")
    )
    tail, more = " ".join(columns), " ".join(extra)
    memory = f"... {own[0]} {own[1]} {tail} -> (field {own[0]}) (... {tail}) {own[1]}"
    return TorchComponent(
        LSTMRegressor(
            len(inputs),
            len(outputs) * prod(sizes[name] for name in extra),
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            forget_bias=forget_bias,
            generator=generator,
        ),
        inputs=inputs,
        outputs=outputs,
        states=states,
        input_maps=(TensorMap("x", _names(inputs), f"time ... {tail} -> time (... {tail}) field", scale),),
        output_maps=(
            TensorMap("y", _names(outputs), f"time ... {more} {tail} -> time (... {tail}) (field {more})", scale),
        ),
        state_maps=tuple(TensorMap(spec.name, (spec.name,), memory) for spec in states),
        dim_sizes={**sizes, own[0]: layers, own[1]: hidden},
        timestep=timestep,
        weights=weights,
    )


def _columns_and_extra(
    inputs: Sequence[FieldSpec], outputs: Sequence[FieldSpec]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the dims of the inputs, and those that the outputs have before them."""
    columns = inputs[0].dims
    for spec in outputs:
        split = len(spec.dims) - len(columns)
        if spec.dims[max(split, 0) :] != columns:
            raise FieldError(
                f"output {spec.name}: expected dims that end with {columns}, as the inputs', got {spec.dims}"
            )
    return columns, outputs[0].dims[: len(outputs[0].dims) - len(columns)]


def _names(specs: Sequence[FieldSpec]) -> tuple[str, ...]:
    return tuple(spec.name for spec in specs)
