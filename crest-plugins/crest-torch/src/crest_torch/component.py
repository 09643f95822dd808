"""TorchComponent: an nn.Module between named fields on one side and packed tensors on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import ComponentError, FieldError, FieldSpec, SequenceComponent, Sizes, Standardize, TensorMap, Tensors
from crest_torch.checks import check_argument_names, check_dims, check_maps
from crest_torch.weights import check_description, describe, load_into, read_weights, write_weights


class TorchComponent(SequenceComponent):
    """Any nn.Module as a component; tensor maps say which fields go into which of its tensors.

    The module is called as `module(**inputs)`, each input map giving the argument of its name, and returns one tensor
    for each output map (a tuple, where there are several). With `state_maps` it also gets the argument `state_argument`
    and returns `(result, new state)`; the state is a tensor where there is one map and a tuple where there are several,
    as torch's own GRU and LSTM have it. It starts at zero.

    In `input_maps` and `output_maps` a pattern begins with "time ..." ("time window ..." for inputs with a window,
    "..." for statics and states); `...` holds member, sample and those dims that the pattern does not name.
    Which inputs are static is known from the fields. The network must be causal: the output of a step may not depend
    on later steps. Dropout is off until `train()` is called. A module that estimates its gradients, or has none, says
    so in `gradient_policy`.

    >>> import torch
    >>> rain, runoff = FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="runoff", units="mm day-1")
    >>> model = TorchComponent(
    ...     nn.Linear(1, 1), inputs=(rain,), outputs=(runoff,),
    ...     input_maps=(TensorMap("input", ("rain",)),), output_maps=(TensorMap("y", ("runoff",)),),
    ... )
    >>> model({}, {"rain": torch.ones(5, 3)}, range(5))[0]["runoff"].shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        inputs: Sequence[FieldSpec],
        outputs: Sequence[FieldSpec],
        input_maps: Sequence[TensorMap],
        output_maps: Sequence[TensorMap],
        states: Sequence[FieldSpec] = (),
        state_maps: Sequence[TensorMap] = (),
        state_argument: str = "hx",
        dim_sizes: Mapping[str, int] | None = None,
        timestep: str = "1D",
        gradient_policy: str = "autograd",
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.states = tuple(inputs), tuple(outputs), tuple(states)
        self.timestep, self.dim_sizes = timestep, dict(dim_sizes or {})
        self.gradient_policy = gradient_policy
        static = {spec.name for spec in self.inputs if spec.static}
        self.input_maps = tuple(
            replace(item, static=tuple(name for name in item.fields if name in static)) for item in input_maps
        )
        self.output_maps, self.state_maps = tuple(output_maps), tuple(state_maps)
        self.state_argument = state_argument
        check_maps("input", self.inputs, self.input_maps)
        check_maps("output", self.outputs, self.output_maps)
        check_maps("state", self.states, self.state_maps)
        check_dims(self)
        check_argument_names(module, self.input_maps, state_argument if self.states else None)
        self.module = module
        self.eval()
        if weights is not None:
            self.load_weights(weights)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return the outputs (time, *lead, *dims) and the state after the last step of one call of the module."""
        packed = {item.name: item.pack(inputs)[0] for item in self.input_maps}
        memory = [item.pack(state) for item in self.state_maps]
        result, after = self._call(packed, tuple(tensor for tensor, _ in memory))
        dtype = next((one.dtype for one in packed.values()), torch.float32)  # bfloat16 of autocast has too few digits
        result, after = (tuple(_at_least(dtype, tensor) for tensor in tensors) for tensors in (result, after))
        lead, sizes = self._sizes(inputs)
        outputs: Tensors = {}
        for item, tensor in zip(self.output_maps, result, strict=True):
            dims = next(spec.dims for spec in self.outputs if spec.name == item.fields[0])
            outputs |= item.unpack(tensor, (len(times), *lead, *(sizes[name] for name in dims)))
        new: Tensors = {}
        for item, tensor, (_, shape) in zip(self.state_maps, after, memory, strict=True):
            new |= item.unpack(tensor, shape)
        return outputs, new

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Scale fields by these means and standard deviations, in their units; other fields stay as they are.

        They are those of the training period, and belong to the weights: set them before training.
        """
        known = {spec.name for spec in (*self.inputs, *self.outputs)}
        if unknown := sorted({*mean, *std} - known):
            raise FieldError(f"standardise: unknown fields {unknown}, expected some of {sorted(known)}")
        scales = [item.scale for item in (*self.input_maps, *self.output_maps) if item.scale]
        means, stds = dict.fromkeys(known, 0.0), dict.fromkeys(known, 1.0)
        for scale in scales:
            means |= scale.mean
            stds |= scale.std
        scale = Standardize({**means, **mean}, {**stds, **std})
        self.input_maps = tuple(replace(item, scale=scale) for item in self.input_maps)
        self.output_maps = tuple(replace(item, scale=scale) for item in self.output_maps)

    def save_weights(self, path: str | Path) -> None:
        """Write the module's weights, and the fields, patterns and scaling that they belong to, as safetensors."""
        write_weights(path, self.module.state_dict(), describe(self))

    def load_weights(self, path: str | Path) -> None:
        """Read weights from a safetensors file; nothing is changed unless names, shapes, fields and scaling agree.

        A file that CREST did not write tells nothing of fields and scaling: there only names and shapes are compared.
        Raises StoreError for a file that cannot be used, FieldError for weights of other fields or scaling.
        """
        tensors, description = read_weights(path)
        if description is not None:
            check_description(path, description, describe(self))
        load_into(self.module, path, tensors)

    def extra_repr(self) -> str:
        """Return the maps with their scaling, for print, notebooks and the graph hash."""
        maps = (*self.input_maps, *self.state_maps, *self.output_maps)
        return "\n".join(f"{m.name}: {', '.join(m.fields)}, {m.pattern!r}, {m.scale or 'not scaled'}" for m in maps)

    def _call(self, packed: Tensors, memory: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return (results, new state), each a tuple of as many tensors as there are maps."""
        arguments: dict[str, Any] = dict(packed)
        if memory:
            arguments[self.state_argument] = memory if len(memory) > 1 else memory[0]
        try:
            returned = self.module(**arguments)
        except RuntimeError as error:
            kinds = ", ".join(sorted({str(value.dtype) for value in self.module.parameters()}))
            taken = ", ".join(f"{name} {_form(value)}" for name, value in arguments.items())
            raise ComponentError(
                f"module {type(self.module).__name__} (weights {kinds or 'none'}) cannot take {taken}: {error}"
            ) from error
        if not memory:
            return self._tensors(returned, "the result", len(self.output_maps)), ()
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise ComponentError(
                f"module {type(self.module).__name__}: expected (result, new state), got {_form(returned)}; wrap it"
            )
        result, after = returned
        return (
            self._tensors(result, "the result", len(self.output_maps)),
            self._tensors(after, "the new state", len(self.state_maps)),
        )

    def _tensors(self, returned: Any, what: str, count: int) -> tuple[Tensor, ...]:
        values = (returned,) if isinstance(returned, Tensor) else returned
        if not isinstance(values, tuple | list) or len(values) != count or not all(map(torch.is_tensor, values)):
            expected = "one tensor" if count == 1 else f"{count} tensors"
            raise ComponentError(
                f"module {type(self.module).__name__}: expected {expected} as {what}, got {_form(returned)}; "
                f"write one map for each tensor, or wrap the module"
            )
        return tuple(values)

    def _sizes(self, inputs: Tensors) -> tuple[tuple[int, ...], dict[str, int]]:
        """Return the leading dims (member, sample) and the sizes of all named dims."""
        lead: tuple[int, ...] = ()
        sizes = dict(self.dim_sizes)
        for spec in self.inputs:
            shape = inputs[spec.name].shape
            own = len(shape) - len(spec.dims)
            sizes |= zip(spec.dims, shape[own:], strict=True)
            lead = tuple(shape[0 if spec.static else 1 + (spec.window > 1) : own])
        return lead, sizes


def _at_least(dtype: torch.dtype, tensor: Tensor) -> Tensor:
    """Return real numbers in the type of the inputs, or in their own where that has more digits."""
    return tensor.to(torch.promote_types(tensor.dtype, dtype)) if tensor.is_floating_point() else tensor


def _form(value: Any) -> str:
    """Return shapes and number types for messages."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {value.dtype}"
    if isinstance(value, tuple | list):
        return f"({', '.join(_form(one) for one in value)})"
    return type(value).__name__
