"""Session: an ONNX model in onnxruntime, made from bytes when first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from onnx import ModelProto
from torch import Tensor

from crest_core import ComponentError

_ERRORS = onnxruntime.capi.onnxruntime_pybind11_state
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    _ERRORS.EPFail, _ERRORS.EngineError, _ERRORS.Fail, _ERRORS.InvalidArgument, _ERRORS.InvalidGraph,
    _ERRORS.InvalidProtobuf, _ERRORS.NoModel, _ERRORS.NotFound, _ERRORS.NotImplemented, _ERRORS.RuntimeException,
)  # fmt: skip


_REFUSALS: tuple[type[Exception], ...] = (*RUNTIME_ERRORS, ValueError)


class Session:
    """Runs an ONNX model on the CPU with as many threads as torch has; a copy or pickle shares nothing but the bytes.

    Tensors go in and come out without gradient; they are handed over without a copy where they are contiguous.
    """

    def __init__(self, content: bytes, who: str) -> None:
        self.content, self.who = content, who
        self._threads = 0
        self._session: onnxruntime.InferenceSession | None = None

    @classmethod
    def of(cls, model: ModelProto, who: str) -> Session:
        """Return the session of a model that has all its data inside."""
        return cls(model.SerializeToString(), who)

    def __getstate__(self) -> dict[str, object]:
        return {"content": self.content, "who": self.who, "_threads": 0, "_session": None}

    def run(self, tensors: Mapping[str, Tensor], outputs: Sequence[str]) -> tuple[Tensor, ...]:
        """Return outputs by name."""
        feeds = {name: np.ascontiguousarray(value.detach().cpu().numpy()) for name, value in tensors.items()}
        try:
            found = self._ready().run(list(outputs), feeds)
        except _REFUSALS as error:
            shapes = ", ".join(f"{name} {value.shape} {value.dtype}" for name, value in feeds.items())
            raise ComponentError(f"{self.who}: onnxruntime cannot take {shapes}: {_words(error)}") from error
        return tuple(torch.from_numpy(value) for value in found)

    def _ready(self) -> onnxruntime.InferenceSession:
        if self._session is None or self._threads != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            self._session = self._make()
        return self._session

    def _make(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is an error is raised, with its words
        try:
            return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except RUNTIME_ERRORS as error:
            raise ComponentError(f"{self.who}: onnxruntime cannot load it: {_words(error)}") from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
