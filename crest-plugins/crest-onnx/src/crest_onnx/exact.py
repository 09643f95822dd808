"""ExactNetwork: onnxruntime where no gradient is asked for, the interpreter with its exact gradients where one is."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from crest_onnx.interpreter import Interpreter
from crest_onnx.operators.node import as_tensor
from crest_onnx.session import Session
from crest_onnx.signature import Signature

Stamp = tuple[tuple[int, int, int], ...]


class ExactNetwork(nn.Module):
    """An ONNX graph whose float initialisers are parameters.

    onnxruntime runs it if no gradient is asked for, the numbers are of the graph's own type, and its weights are still
    those of the file; else the interpreter does. Changes are seen by torch's version counters, which writing into
    `parameter.data` in place does not move.
    """

    def __init__(self, model: ModelProto, signature: Signature, trainable: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.signature = signature
        self.interpreter = Interpreter(model, signature.results, trainable)
        self.session = Session.of(model, signature.who)
        self._model = model
        content = b"".join(node.SerializeToString(deterministic=True) for node in model.graph.node)
        self._digest = sha256(content).hexdigest()
        self._seen: tuple[Stamp, bool] = (_stamp(self.interpreter), True)

    def forward(self, **arguments: Any) -> Any:
        """Return (outputs, new state), or the outputs where there is no state."""
        tensors = self.signature.tensors(arguments)
        if self.uses_runtime(tensors):
            return self.signature.result(self.session.run(tensors, self.signature.results))
        return self.signature.result(self.interpreter(tensors))

    def uses_runtime(self, tensors: dict[str, Tensor]) -> bool:
        """Return whether onnxruntime may compute the results of these tensors."""
        values = tensors.values()
        if torch.is_grad_enabled() and any(v.requires_grad for v in (*values, *self.parameters())):
            return False
        plain = all(v.dtype == self.signature.dtype and v.device.type == "cpu" for v in values)
        return plain and self._weights_are_those_of_the_file()

    def trained_model(self) -> ModelProto:
        """Return the ONNX model with the present weights."""
        model = ModelProto()
        model.CopyFrom(self._model)
        present = self.interpreter.initialisers()
        for item in model.graph.initializer:
            if item.name in present:
                value = present[item.name].detach().cpu().to(as_tensor(item).dtype)
                item.CopyFrom(numpy_helper.from_array(value.numpy(), item.name))
        return model

    def extra_repr(self) -> str:
        """Return the hash of the nodes, for print and the graph hash; weights are told by their own."""
        return f"nodes {self._digest[:16]}"

    def _weights_are_those_of_the_file(self) -> bool:
        stamp = _stamp(self.interpreter)
        if stamp != self._seen[0]:  # written to, moved or copied: look at the numbers, once
            self._seen = (stamp, self._same_numbers())
        return self._seen[1]

    def _same_numbers(self) -> bool:
        present = self.interpreter.initialisers()
        stored = {item.name: item for item in self._model.graph.initializer if item.name in present}
        return all(_same(present[name].detach().cpu(), as_tensor(item)) for name, item in stored.items())


def _stamp(module: nn.Module) -> Stamp:
    """Return what changes when a parameter or buffer is replaced, moved or written to."""
    values = (*module.parameters(), *module.buffers())
    return tuple((id(value), value.data_ptr(), value._version) for value in values)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)
