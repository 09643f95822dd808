"""A rainfall-runoff LSTM in Keras, its state in sight: the network of Kratzert et al. (2018) over columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crest_core import Component, FieldSpec, Standardize, TensorMap
from crest_keras.component import keras_component
from crest_keras.library import keras_library, own_random_state


def keras_lstm_component(
    *,
    inputs: Sequence[FieldSpec],
    outputs: Sequence[FieldSpec],
    scale: Standardize,
    hidden: int,
    seed: int,
    dim: str = "lstm_hidden",
    timestep: str = "1D",
    weights: str | Path | None = None,
) -> Component:
    """Return a component that runs one Keras LSTM with a linear head in every column; y = W h + b.

    Kratzert et al. (2018), doi:10.5194/hess-22-6005-2018, without dropout. All fields lie on the same dims. The states
    h and c have the dims (dim, *columns); two LSTMs of different size in one graph need different names of `dim`.
    """
    keras = keras_library()
    with own_random_state():
        model = _network(keras, len(inputs), len(outputs), hidden, seed)
    columns = inputs[0].dims
    tail = " ".join(columns)
    states = tuple(
        FieldSpec(name=name, units="1", dims=(dim, *columns), cell_methods="time: point") for name in ("h", "c")
    )
    series = f"time ... {tail} -> (... {tail}) time field"
    return keras_component(
        model,
        inputs=inputs,
        outputs=outputs,
        states=states,
        input_maps=(TensorMap("x", [spec.name for spec in inputs], series, scale),),
        output_maps=(TensorMap("y", [spec.name for spec in outputs], series, scale),),
        state_maps=tuple(
            TensorMap(s.name, (s.name,), f"... {dim} {tail} -> (... {tail}) (field {dim})") for s in states
        ),
        dim_sizes={dim: hidden},
        timestep=timestep,
        weights=weights,
    )


def _network(keras: Any, features: int, targets: int, hidden: int, seed: int) -> Any:
    """Return the model (x, h, c) -> (y, new h, new c): x (batch, time, features), h and c (batch, hidden)."""
    glorot, orthogonal = keras.initializers.GlorotUniform, keras.initializers.Orthogonal
    x, h, c = (
        keras.Input((None, features), name="x"),
        keras.Input((hidden,), name="h"),
        keras.Input((hidden,), name="c"),
    )
    lstm = keras.layers.LSTM(
        hidden,
        return_sequences=True,
        return_state=True,
        kernel_initializer=glorot(seed),
        recurrent_initializer=orthogonal(seed=seed + 1),
        name="lstm",
    )
    series, h_new, c_new = lstm(x, initial_state=[h, c])
    y = keras.layers.Dense(targets, kernel_initializer=glorot(seed + 2), name="head")(series)
    return keras.Model([x, h, c], [y, h_new, c_new], name="lstm_regressor")
