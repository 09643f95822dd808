"""Open an ONNX file from anywhere: checked before it is parsed, checked before anything is allocated, then one piece.

Nothing in an ONNX file is executed: no custom operator library is loaded, and onnxruntime gets bytes, never a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, shape_inference

from crest_core import ComponentError, StoreError
from crest_onnx.external import take_in

OLDEST_OPSET, NEWEST_OPSET = 9, 26
KNOWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # built into onnxruntime
LARGEST_FILE = 2**31 - 1  # bytes; a protobuf message can have no more
LARGEST_VALUE = 2**28  # numbers in one tensor of the graph
_SMALL_TYPES: Mapping[int, int] = {
    TensorProto.UINT4: 4, TensorProto.INT4: 4, TensorProto.FLOAT4E2M1: 4, TensorProto.UINT2: 2, TensorProto.INT2: 2,
}  # fmt: skip


def read_model(path: str | Path, sha256: str | None = None, *, largest: int = LARGEST_FILE) -> ModelProto:
    """Return the model of a file whose hash, size, operators, shapes and external data were checked.

    External data become part of it. Raises StoreError for a file that cannot be read or is not what it should be,
    ComponentError for a graph that cannot be run.
    """
    path = Path(path)
    content = _read(path, largest)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise StoreError(f"model {path}: expected sha256 {sha256}, got {digest}; the file was changed, or is another")
    model = _parse(path, content)
    _check_versions(path, model)
    tensors = [tensor for graph in _graphs(model.graph) for tensor in _tensors(graph)]
    _check_plain(path, model)
    if sha256 is not None and any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
        raise StoreError(
            f"model {path}: it has external data, which the sha256 of one file does not cover; save it as one file "
            f"with onnx.save_model(model, path, save_as_external_data=False)"
        )
    for tensor in tensors:
        _check_size(path, tensor, largest)
    take_in(path, tensors, largest - len(content))
    for tensor in tensors:
        _check_content(path, tensor)
    _check_graph(path, model)
    return model


def _read(path: Path, largest: int) -> bytes:
    if not path.is_file():
        raise StoreError(f"model {path}: no such file")
    size = path.stat().st_size
    if size > largest:
        raise StoreError(f"model {path}: {size} bytes, at most {largest}")
    with open(path, "rb") as file:
        return file.read(largest + 1)[:largest]


def _parse(path: Path, content: bytes) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise StoreError(f"model {path} is no ONNX file, or cut off: {error}") from error
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise StoreError(f"model {path} is no ONNX file, or cut off: it has no graph with nodes, outputs and an opset")
    return model


def _check_versions(path: Path, model: ModelProto) -> None:
    unknown = sorted({item.domain for item in model.opset_import} - set(KNOWN_DOMAINS))
    if unknown:
        raise ComponentError(
            f"model {path}: operators of the domains {unknown} need a library of their own, which is never loaded; "
            f"known: {', '.join(name or 'ai.onnx' for name in KNOWN_DOMAINS if name != 'ai.onnx')}"
        )
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    if len(versions) != 1 or not OLDEST_OPSET <= versions[0] <= NEWEST_OPSET:
        raise ComponentError(
            f"model {path}: expected one opset from {OLDEST_OPSET} to {NEWEST_OPSET}, got {versions}; convert it with "
            f"onnx.version_converter.convert_version(model, 17)"
        )


def _check_plain(path: Path, model: ModelProto) -> None:
    """Refuse what nothing here reads, and what could grow without limit while it is read."""
    if model.functions or model.training_info or any(graph.sparse_initializer for graph in _graphs(model.graph)):
        raise ComponentError(
            f"model {path}: functions of its own, training graphs and sparse initialisers are not read; expected "
            f"plain nodes: onnx.inliner.inline_local_functions(model), or another setting of the exporter"
        )


def _check_size(path: Path, tensor: TensorProto, largest: int) -> None:
    """Refuse a declared shape before anything of that size is allocated."""
    if tensor.data_type not in TensorProto.DataType.values() or tensor.data_type == TensorProto.UNDEFINED:
        raise ComponentError(f"model {path}: tensor {tensor.name!r} has the unknown number type {tensor.data_type}")
    count = prod(tensor.dims)
    if any(size < 0 for size in tensor.dims) or count > LARGEST_VALUE or _length(tensor) > largest:
        raise ComponentError(
            f"model {path}: tensor {tensor.name!r} declares the shape {list(tensor.dims)}; expected at most "
            f"{LARGEST_VALUE} numbers"
        )


def _check_content(path: Path, tensor: TensorProto) -> None:
    if not tensor.HasField("raw_data"):
        return  # counted by the checker of onnx
    if len(tensor.raw_data) != _length(tensor):
        raise StoreError(
            f"model {path}: tensor {tensor.name!r} of shape {list(tensor.dims)} needs {_length(tensor)} bytes, the "
            f"file has {len(tensor.raw_data)}; it is damaged"
        )


def _check_graph(path: Path, model: ModelProto) -> None:
    """Let onnx check operators and types, then look for values that are too large in the shapes that it infers."""
    try:
        onnx.checker.check_model(model)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ComponentError(f"model {path} is not valid ONNX: {reason}") from error
    graph = inferred.graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        sizes = [item.dim_value for item in value.type.tensor_type.shape.dim if item.HasField("dim_value")]
        if prod(size for size in sizes if size) > LARGEST_VALUE:
            raise ComponentError(
                f"model {path}: the value {value.name!r} would have the shape {sizes}; expected at most "
                f"{LARGEST_VALUE} numbers"
            )


def _length(tensor: TensorProto) -> int:
    """Return how many bytes the numbers of a tensor take, 0 for text."""
    if tensor.data_type == TensorProto.STRING:
        return 0
    bits = _SMALL_TYPES.get(tensor.data_type, 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    return -(-prod(tensor.dims) * bits // 8)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and those inside its nodes (If, Loop, Scan)."""
    yield graph
    for node in graph.node:
        for item in node.attribute:
            for inner in (*([item.g] if item.type == AttributeProto.GRAPH else []), *item.graphs):
                yield from _graphs(inner)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for item in node.attribute:
            if item.type == AttributeProto.TENSOR:
                yield item.t
            yield from item.tensors
