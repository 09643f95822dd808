"""Paths: what is none is told alike by all readers."""

import pytest
from crest_data import read_airgr, read_caravan, read_netcdf, read_smap, read_zarr
from crest_data.errors import DataError


@pytest.mark.parametrize("read", [read_netcdf, read_zarr, read_airgr, read_caravan, read_smap])
def test_a_path_that_is_none_is_told(read):
    with pytest.raises(DataError, match="path None: expected the path of a file or folder, as text or a Path"):
        read(None)
