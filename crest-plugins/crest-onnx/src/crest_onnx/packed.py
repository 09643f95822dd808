"""PackedCall: one call of a network as a black box of rows and columns, which the core's strategies move about in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from crest_core import BlackBoxComponent, FieldSpec, Gradient, Tensors
from crest_onnx.layout import Layout

Run = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]


class PackedCall(BlackBoxComponent):
    """A function of tensors of given shapes, each laid out as (rows, columns), a column for each batch element.

    Where the tensors have no batch in common, or the graph fixes its size, every value is a row of its own and copies
    run one after the other.
    """

    def __init__(
        self,
        run: Run,
        gradient: Gradient,
        inputs: Sequence[Layout],
        outputs: Sequence[Layout],
        shapes: Sequence[Sequence[int]],
        *,
        free_batch: bool,
    ) -> None:
        super().__init__(gradient=gradient)
        self.run, self.layouts, self.results, self.shapes = run, tuple(inputs), tuple(outputs), tuple(shapes)
        self.found: list[Sequence[int]] = []  # shapes of the results, known once the network ran
        widths = {layout.columns(shape) for layout, shape in zip(inputs, shapes, strict=True)}
        self.independent_columns = free_batch and len(widths) == 1
        columns = ("cell",) if self.independent_columns else ()
        self.inputs, self.outputs = (
            tuple(FieldSpec(name=f"{role}{i}", units="1", dims=(f"row{i}", *columns)) for i in range(len(layouts)))
            for role, layouts in (("input", inputs), ("output", outputs))
        )

    def values(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the results of the call, on the tape."""
        fields = {
            spec.name: layout.to_rows(value) if self.independent_columns else value.reshape(-1)
            for spec, layout, value in zip(self.inputs, self.layouts, tensors, strict=True)
        }
        found, _ = self.step({}, fields, "a call of the network")
        pairs = zip(self.outputs, self.results, self.found, strict=True)
        return tuple(
            layout.from_rows(found[spec.name].unsqueeze(0), shape)
            if self.independent_columns
            else found[spec.name].reshape(shape)
            for spec, layout, shape in pairs
        )

    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return the results of (*copies, rows, columns), by one call where the batch may be longer."""
        values = [inputs[spec.name] for spec in self.inputs]
        lead = values[0].shape[: values[0].dim() - 1 - self.independent_columns]
        copies = [value.reshape(prod(lead), *value.shape[len(lead) :]) for value in values]
        rows = self._together(copies) if self.independent_columns else self._one_by_one(copies)
        pairs = zip(self.outputs, rows, strict=True)
        return {spec.name: value.double().reshape(*lead, *value.shape[1:]) for spec, value in pairs}, {}

    def _together(self, copies: Sequence[Tensor]) -> list[Tensor]:
        count = len(copies[0])
        pairs = zip(self.layouts, copies, self.shapes, strict=True)
        results = self._run_once([layout.from_rows(value, shape) for layout, value, shape in pairs], count)
        return [layout.to_copies(value, count) for layout, value in zip(self.results, results, strict=True)]

    def _one_by_one(self, copies: Sequence[Tensor]) -> list[Tensor]:
        found = []
        for one in zip(*copies, strict=True):
            results = self._run_once([value.reshape(shape) for value, shape in zip(one, self.shapes, strict=True)], 1)
            found.append([value.reshape(-1) for value in results])
        return [torch.stack(values) for values in zip(*found, strict=True)]

    def _run_once(self, tensors: Sequence[Tensor], count: int) -> tuple[Tensor, ...]:
        results = self.run(tensors)
        if count == 1:
            self.found = [value.shape for value in results]
        return results
