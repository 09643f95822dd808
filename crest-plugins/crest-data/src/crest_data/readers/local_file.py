"""Local files: there, regular, not empty, and of the kind that is expected."""

from __future__ import annotations

from pathlib import Path

from crest_data.errors import DataError

KINDS = {b"\x89HDF": "netCDF-4", b"CDF\x01": "netCDF-3", b"CDF\x02": "netCDF-3", b"CDF\x05": "netCDF-3",
         b"GRIB": "GRIB", b"PK\x03\x04": "zip", b"PAR1": "parquet", b"\x1f\x8b\x08": "gzip"}  # fmt: skip


def as_path(path: str | Path) -> Path:
    """Return a path; DataError for what is none."""
    try:
        return Path(path)
    except TypeError as error:
        raise DataError(f"path {path!r}: expected the path of a file or folder, as text or a Path") from error


def local_file(path: str | Path) -> Path:
    """Return the path of a regular file that holds something; DataError else. An address of the web is no file."""
    path = as_path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file; a file is not replaced by missing values")
    if not path.is_file():
        raise DataError(f"{path}: is no regular file")
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty; get it again")
    return path


def kind_of(path: Path) -> str:
    """Return what the first bytes of a file tell: netCDF-4, netCDF-3, GRIB, zip, parquet, gzip, or "unknown"."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return next((kind for magic, kind in KINDS.items() if start.startswith(magic)), "unknown")


def expect_kind(path: Path, *kinds: str) -> str:
    """Return the kind of a file; DataError if it is none of those expected."""
    kind = kind_of(path)
    if kind not in kinds:
        hint = "; unpack it first" if kind in ("zip", "gzip") else "; is it the right file, and whole?"
        raise DataError(f"{path}: expected {' or '.join(kinds)}, its first bytes say {kind}{hint}")
    return kind
