"""Lazy variables: arrays of the repository that xarray reads when needed, and that name themselves where damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing

from crest_store import arrays


class StoredValues(BackendArray):
    """The values of one array."""

    def __init__(self, array: zarr.Array) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return a part."""
        return np.asarray(
            indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)
        )

    def _read(self, key: tuple) -> np.ndarray:
        return arrays.values_of(self.array, key)


def lazy_variables(group: zarr.Group) -> dict[str, xr.Variable]:
    """Return the arrays of a group as they are stored, to be decoded by CF."""
    return {array.basename: _variable(array) for array in arrays.all_arrays(group)}


def _variable(array: zarr.Array) -> xr.Variable:
    named: Any = array.metadata
    dims = tuple(named.dimension_names or ())
    values = indexing.LazilyIndexedArray(StoredValues(array))
    return xr.Variable(
        dims,
        values,
        array.attrs.asdict(),
        {"chunks": array.chunks, "preferred_chunks": dict(zip(dims, array.chunks, strict=True))},
    )
