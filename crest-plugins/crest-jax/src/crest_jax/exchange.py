"""Arrays between torch and JAX without a copy, and the guard of 64-bit numbers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from crest_core import ComponentError

WIDE = (torch.float64, torch.int64, torch.uint64)
REAL = {np.dtype(kind) for kind in (jnp.float64, jnp.float32, jnp.float16, jnp.bfloat16)}


def to_jax(tensor: Tensor) -> Any:
    """Return a tensor's values for a compiled function, in the same memory.

    On a CPU that is a numpy view, which a compiled function reads in place as it does a DLPack import, for 1 us instead
    of 20; other devices and bfloat16 go by DLPack. Memory that is not aligned to 64 bytes is copied by JAX.
    """
    plain = tensor.detach().contiguous()
    if plain.device.type == "cpu" and plain.dtype != torch.bfloat16:
        return plain.numpy()
    try:
        return jax.dlpack.from_dlpack(plain)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ComponentError(
            f"a tensor on {plain.device} cannot be handed to JAX, which has {jax.devices()} here: {error}; move the "
            f"component with .to('cpu'), or install JAX for that device"
        ) from error


def to_torch(array: jax.Array) -> Tensor:
    """Return an array as a tensor in the same memory, by DLPack, once it is computed."""
    return torch.from_dlpack(array.block_until_ready())


def precision(tensors: Iterable[Tensor]) -> AbstractContextManager[Any]:
    """Return the context in which JAX keeps 64-bit tensors as they are.

    With x64 off, JAX turns float64 into float32 without a word. The setting is part of what a compiled function is
    cached by, and is of this thread only.
    """
    return jax.enable_x64(True) if any(tensor.dtype in WIDE for tensor in tensors) else nullcontext()


def check_results(name: str, tensors: Iterable[Tensor], results: Iterable[Any]) -> None:
    """Raise ComponentError for results that are no real arrays, or have fewer digits than what the function takes."""
    widest = max((tensor.dtype for tensor in tensors if tensor.is_floating_point()), key=_bytes, default=None)
    for result in results:
        if result.dtype not in REAL:
            raise ComponentError(f"function {name}: expected arrays of real numbers as results, got {result.dtype}")
        if widest is not None and result.dtype.itemsize < widest.itemsize:
            raise ComponentError(
                f"function {name} takes {str(widest).removeprefix('torch.')} and returns {result.dtype}: it loses "
                f"digits inside; take out its astype and dtype=, or its constants that were made with JAX's x64 off"
            )


def _bytes(kind: torch.dtype) -> int:
    return kind.itemsize
