"""Programs of torch.export (.pt2) as JSON and raw tensors: the parts of the archive that cannot execute, and no others.

torch.export.load unpickles the sample inputs and evaluates texts of the graph as Python; it is never called. The sample
inputs, a pickle that torch.export.save always writes, are left unopened.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from crest_models.errors import ModelError

SCHEMA_MAJOR = 8  # of the JSON that torch 2.13 writes
_READ = re.compile(
    r"models/model\.json|archive_format|archive_version|byteorder"
    r"|data/(weights/(model_weights_config\.json|weight_\d+)|constants/(model_constants_config\.json|tensor_\d+))"
)
_LEFT_UNOPENED = re.compile(r"data/sample_inputs/model\.pt|\.data/(version|serialization_id)")
_MOST_AXES = 16
DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """The graph of a program as JSON, and its tensors by name; tensors that were one in the model are one here."""

    graph_module: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]


def read_archive(content: bytes) -> Archive:
    """Return what can be read without executing anything; ModelError if the archive holds anything else."""
    members = _members(content)
    if (members["archive_format"], members["byteorder"]) != (b"pt2", b"little"):
        raise ModelError("no program of torch.export that can be read: expected the format pt2, little-endian")
    program = _json(members, "models/model.json")
    major = program.get("schema_version", {}).get("major")
    if major != SCHEMA_MAJOR:
        raise ModelError(
            f"a program of schema {major}, expected {SCHEMA_MAJOR}, as torch 2.13 writes it; export it anew"
        )
    return Archive(
        program["graph_module"],
        _tensors(members, "data/weights/", "model_weights_config.json"),
        _tensors(members, "data/constants/", "model_constants_config.json"),
    )


def _members(content: bytes) -> dict[str, bytes]:
    """Return the members that are read, without the name of the archive before them."""
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ModelError("its members are compressed, which torch.export.save does not do")
            for info in infos:
                root, _, name = info.filename.partition("/")
                if _LEFT_UNOPENED.fullmatch(name):
                    continue
                if not root or not _READ.fullmatch(name) or name in found or info.file_size > len(content):
                    raise ModelError(
                        f"the member {info.filename!r} is not read; expected a graph as JSON and raw tensors only, no "
                        f"compiled code, custom objects or extra files"
                    )
                found[name] = archive.read(info)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"no .pt2 file of torch.export.save, or cut off: {error}") from error
    needed = {"models/model.json", "archive_format", "byteorder", "data/weights/model_weights_config.json"}
    if lost := sorted(needed - set(found)):
        raise ModelError(f"no .pt2 file as torch.export.save of torch 2.13 writes it: it lacks {lost}")
    return found


def _tensors(members: Mapping[str, bytes], folder: str, config: str) -> dict[str, Tensor]:
    """Return the tensors that a list of payloads names, each of them raw, contiguous and as long as its shape says."""
    if folder + config not in members:
        return {}
    payloads: dict[str, Tensor] = {}
    tensors = {}
    for name, about in _json(members, folder + config)["config"].items():
        path = str(about["path_name"])
        if about["use_pickle"] is not False or folder + path not in members:
            raise ModelError(
                f"tensor {name!r} is a pickle or lies elsewhere, and is never opened; save the program with contiguous "
                f"tensors of usual types on the CPU"
            )
        tensor = _raw(name, about["tensor_meta"], members[folder + path])
        tensors[name] = payloads.setdefault(path, tensor)
        if tensors[name].shape != tensor.shape:
            raise ModelError(f"tensor {name!r} shares its bytes with a tensor of another shape; clone it before export")
    return tensors


def _raw(name: str, meta: Mapping[str, Any], payload: bytes) -> Tensor:
    sizes, strides = ([item["as_int"] for item in meta[key]] for key in ("sizes", "strides"))
    dtype = DTYPES.get(meta["dtype"])
    whole = len(sizes) <= _MOST_AXES and all(type(size) is int and size >= 0 for size in sizes)
    count = prod(sizes) if whole else -1
    expected = [prod(sizes[place + 1 :]) for place in range(len(sizes))] if whole else None
    if dtype is None or count * torch.empty((), dtype=dtype).itemsize != len(payload):
        raise ModelError(
            f"tensor {name!r} declares the shape {sizes[:_MOST_AXES]} and number type {meta['dtype']}, and the "
            f"file holds {len(payload)} bytes of it; it is damaged or made up"
        )
    if meta["storage_offset"]["as_int"] != 0 or (strides != expected and 0 not in sizes and 1 not in sizes):
        raise ModelError(f"tensor {name!r} is not contiguous; make it so before torch.export.export")
    tensor = torch.frombuffer(bytearray(payload), dtype=dtype).reshape(sizes) if payload else torch.zeros(sizes)
    if not bool(torch.isfinite(tensor).all()):
        raise ModelError(f"tensor {name!r} holds nan or infinity; the training that wrote it diverged")
    return tensor


def _json(members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        values = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{name} is no JSON object")
    return values
