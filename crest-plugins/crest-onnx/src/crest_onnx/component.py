"""onnx_component: any ONNX file and its field mapping as a component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto
from torch import nn

from crest_core import Component, ComponentError, FieldError, FieldSpec, Gradient, TensorMap, registry
from crest_onnx.agreement import check_agreement
from crest_onnx.estimated import EstimatedNetwork
from crest_onnx.exact import ExactNetwork
from crest_onnx.interpreter import needed_nodes, unknown_operators
from crest_onnx.loading import read_model
from crest_onnx.loops import check_control_flow
from crest_onnx.mapping import FieldMapping, read_mapping
from crest_onnx.session import Session
from crest_onnx.signature import STATE, Signature, signature_of

EXACT = "exact"


def onnx_component(
    path: str | Path,
    *,
    inputs: Sequence[FieldSpec] | None = None,
    outputs: Sequence[FieldSpec] | None = None,
    input_maps: Sequence[TensorMap] | None = None,
    output_maps: Sequence[TensorMap] | None = None,
    states: Sequence[FieldSpec] = (),
    state_maps: Sequence[TensorMap] = (),
    state_outputs: Sequence[str] = (),
    gradient: str | Gradient = EXACT,
    trainable: Sequence[str] | None = None,
    timestep: str = "1D",
    dim_sizes: Mapping[str, int] | None = None,
    sha256: str | None = None,
    control_flow: bool = True,
) -> Component:
    """Return a component that runs an ONNX file, its tensors described by tensor maps.

    Input, output and state maps bear the names of the graph's inputs and outputs that they fill or read;
    `state_outputs` names the outputs that hold the new state, in the order of `state_maps`. Without `inputs` and the
    rest, the mapping that `export_onnx` wrote into the file is taken. The state starts at zero.

    `gradient` is "exact" (an interpreter in torch, weights trainable; held against onnxruntime here, on random
    fields), or FiniteDifference(step=1e-2), SPSA(generator, step=1e-2), NoGradient(): then the network stays a black
    box in its own number type, with weights that nothing trains. Float initialisers are trained unless they are
    settings; `trainable` names them instead. A Loop of more than a million constant trips is refused; without
    `control_flow`, for files of strangers, every node with a graph of its own is.

    Raises StoreError for a file that cannot be read, has another hash or reaches outside its folder; ComponentError
    for a graph that cannot be run as asked; FieldError for maps that do not fit it.
    """
    model = read_model(path, sha256)
    who = f"model {Path(path).name}"
    check_control_flow(model, who, allowed=control_flow)
    mapping = _mapping(
        model, who, inputs, outputs, input_maps, output_maps,
        states=tuple(states), state_maps=tuple(state_maps), state_outputs=tuple(state_outputs),
        dim_sizes=dict(dim_sizes or {}), timestep=timestep,
    )  # fmt: skip
    signature = signature_of(model, mapping, who)
    network, policy = _network(model, mapping, signature, gradient, trainable)
    component: Component = registry().load("backends", "torch")(
        network,
        inputs=mapping.inputs,
        outputs=mapping.outputs,
        input_maps=mapping.input_maps,
        output_maps=mapping.output_maps,
        states=mapping.states,
        state_maps=mapping.state_maps,
        state_argument=STATE,
        dim_sizes=mapping.dim_sizes,
        timestep=mapping.timestep,
        gradient_policy=policy,
    )
    if isinstance(network, ExactNetwork):
        check_agreement(network, mapping)
    return component


def _network(
    model: ModelProto, mapping: FieldMapping, signature: Signature, gradient: str | Gradient,
    trainable: Sequence[str] | None,
) -> tuple[nn.Module, str]:  # fmt: skip
    """Return the network and its gradient policy."""
    if isinstance(gradient, str):
        if gradient != EXACT:
            raise ComponentError(
                f"{signature.who}: gradient {gradient!r} is not 'exact', FiniteDifference(step=1e-2), SPSA(generator, "
                f"step=1e-2) or NoGradient()"
            )
        unknown = unknown_operators(needed_nodes(model.graph, signature.results))
        if unknown:
            raise ComponentError(
                f"{signature.who}: no exact gradient of {'; '.join(unknown)}; use "
                f"gradient=FiniteDifference(step=1e-2) or SPSA(generator, step=1e-2), which need none"
            )
        return ExactNetwork(model, signature, None if trainable is None else tuple(trainable)), "autograd"
    return EstimatedNetwork(Session.of(model, signature.who), signature, mapping, gradient), gradient.policy


def _mapping(
    model: ModelProto, who: str, inputs: Sequence[FieldSpec] | None, outputs: Sequence[FieldSpec] | None,
    input_maps: Sequence[TensorMap] | None, output_maps: Sequence[TensorMap] | None, *,
    states: tuple[FieldSpec, ...], state_maps: tuple[TensorMap, ...], state_outputs: tuple[str, ...],
    dim_sizes: dict[str, int], timestep: str,
) -> FieldMapping:  # fmt: skip
    """Return the mapping that was given whole, or the one in the file where none of it was given."""
    given = {"inputs": inputs, "outputs": outputs, "input_maps": input_maps, "output_maps": output_maps}
    lost = [name for name, value in given.items() if value is None]
    if not lost and inputs and outputs and input_maps and output_maps:
        return FieldMapping(
            inputs=tuple(inputs), outputs=tuple(outputs), input_maps=tuple(input_maps), output_maps=tuple(output_maps),
            states=states, state_maps=state_maps, state_outputs=state_outputs, dim_sizes=dim_sizes, timestep=timestep,
        )  # fmt: skip
    if len(lost) < len(given) or states or state_maps or dim_sizes:
        raise FieldError(
            f"{who}: {lost or 'inputs, outputs or maps'} are missing; give the whole mapping or none of it"
        )
    found = read_mapping(model, who)
    if found is None:
        raise FieldError(
            f"{who}: the file has no field mapping of CREST; give inputs, outputs, input_maps, output_maps"
        )
    return found
