"""keras_component: a Keras model or .keras file as a component, by the tensor maps of the backend "torch"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crest_core import Component, FieldError, FieldSpec, TensorMap
from crest_core.plugins import registry
from crest_keras.archive import MAX_BYTES, load_keras_file
from crest_keras.module import KerasModule

STATE = "state"


def keras_component(
    model: Any,
    *,
    inputs: Sequence[FieldSpec],
    outputs: Sequence[FieldSpec],
    input_maps: Sequence[TensorMap],
    output_maps: Sequence[TensorMap],
    states: Sequence[FieldSpec] = (),
    state_maps: Sequence[TensorMap] = (),
    dim_sizes: Mapping[str, int] | None = None,
    timestep: str = "1D",
    weights: str | Path | None = None,
    sha256: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Component:
    """Return a component around a Keras model, or the path of a .keras file.

    Input and state maps bear the names of the model's `keras.Input`; a single input may have any name. The model
    returns an array for each output map and then the new state for each state map, or a dict of them by name. Keras
    puts the batch first: patterns are "time ... -> (time ...) field" for a network of one step, "time ... -> (...) time
    field" for a sequence, "time window ... -> (time ...) window field" for a window. `sha256` and `max_bytes` are for
    files, whose content is checked before Keras opens it. All else is as in TorchComponent, which it is.
    """
    if any(item.name == STATE for item in input_maps):
        raise FieldError(
            f"an input map cannot be called {STATE!r}, which is the argument of the state; rename the input"
        )
    built = load_keras_file(model, sha256=sha256, max_bytes=max_bytes) if isinstance(model, str | Path) else model
    module = KerasModule(
        built,
        inputs=[item.name for item in input_maps],
        outputs=[item.name for item in output_maps],
        states=[item.name for item in state_maps],
    )
    wrap = registry().load("backends", "torch")
    component: Component = wrap(
        module,
        inputs=inputs,
        outputs=outputs,
        states=states,
        input_maps=input_maps,
        output_maps=output_maps,
        state_maps=state_maps,
        state_argument=STATE,
        dim_sizes=dim_sizes,
        timestep=timestep,
        weights=weights,
    )
    return component
