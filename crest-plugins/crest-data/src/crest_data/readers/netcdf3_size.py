"""Size of a netCDF-3 file as its header has it: the C library reads what is cut off as zeros, without an error.

The layout is that of the NetCDF Classic Format Specification, for CDF-1, CDF-2 and CDF-5. HDF5 files tell their end
themselves, and their library refuses one that is shorter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from crest_data.errors import DataError

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}  # of a value, by type
_LONGEST_NAME = 4096  # bytes, far beyond what the libraries write
_STREAMING = 0xFFFFFFFF  # records whose number was never written


def check_not_cut(path: Path) -> None:
    """Return if a netCDF-3 file holds all that its header promises; DataError else."""
    try:
        with path.open("rb") as file:
            promised = _promised(file)
    except (OSError, struct.error, KeyError, ValueError) as error:
        raise DataError(f"{path}: its netCDF-3 header cannot be read ({error}); it is cut off or damaged") from error
    if (held := path.stat().st_size) < promised:
        raise DataError(f"{path}: has {held} bytes, its header promises {promised}; it is cut off: get it again")


def _promised(file: BinaryIO) -> int:
    """Return where the last value ends, by the header."""
    version = file.read(4)[3]
    header = _Header(file, ">Q" if version == 5 else ">I", ">I" if version == 1 else ">Q")
    records = header.number(header.count)
    dims = [header.dimension() for _ in range(header.length())]
    header.attributes()
    variables = [header.variable(dims) for _ in range(header.length())]
    streaming = records == _STREAMING or (version == 5 and records == 2**64 - 1)
    return _end(variables, 0 if streaming else records)


@dataclass(frozen=True)
class _Header:
    """A header that is read onward: the struct formats of its counts and of its offsets."""

    file: BinaryIO
    count: str
    offset: str

    def number(self, kind: str) -> int:
        return int(struct.unpack(kind, self.file.read(struct.calcsize(kind)))[0])

    def length(self) -> int:
        """Return the length of a list, after its tag."""
        self.number(">I")
        return self.number(self.count)

    def _skip(self, size: int) -> None:
        """Go on by so many bytes and to the next multiple of four."""
        if size > 2**31:
            raise ValueError(f"{size} bytes in the header")
        self.file.seek(size + -size % 4, 1)

    def _name(self) -> None:
        size = self.number(self.count)
        if size > _LONGEST_NAME:
            raise ValueError(f"a name of {size} bytes")
        self._skip(size)

    def dimension(self) -> int:
        self._name()
        return self.number(self.count)

    def attributes(self) -> None:
        for _ in range(self.length()):
            self._name()
            width = _BYTES[self.number(">I")]
            self._skip(width * self.number(self.count))

    def variable(self, lengths: list[int]) -> tuple[bool, int, int]:
        """Return whether a variable has records, its bytes (of a record), and where it begins."""
        self._name()
        dims = [self.number(self.count) for _ in range(self.number(self.count))]
        self.attributes()
        width = _BYTES[self.number(">I")]
        self.number(self.count)  # its size, which overflows for large ones
        begin = self.number(self.offset)
        if any(dim >= len(lengths) for dim in dims):
            raise ValueError("a variable on a dim that is not there")
        has_records = bool(dims) and lengths[dims[0]] == 0
        return has_records, width * prod(lengths[dim] for dim in dims[has_records:]), begin


def _end(variables: list[tuple[bool, int, int]], records: int) -> int:
    """Return where the last value ends; the padding after it may be absent."""
    moving = [size for has_records, size, _ in variables if has_records]
    record = moving[0] if len(moving) == 1 else sum(size + -size % 4 for size in moving)
    ends = [begin + size for has_records, size, begin in variables if not has_records]
    if records:
        ends += [begin + (records - 1) * record + size for has_records, size, begin in variables if has_records]
    return max(ends, default=0)
