"""Text tables: every line as wide as its header, every number a number; an error names file, line and column."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from crest_data.errors import DataError
from crest_data.readers.choice import near

# What tables write for "no value"; anything else that is no number is an error.
NO_VALUE = ("", "NA", "NaN", "nan", "null")
_YEARS = (1678, 2261)  # whole years that 64 bits of nanoseconds hold
_LARGEST = 1 << 31  # bytes of one unpacked text file; a larger one is no table of a site


@dataclass(frozen=True)
class Table:
    """A table of one file: columns of numbers and text, and the line of the file that each row came from."""

    path: Path
    frame: pd.DataFrame
    lines: np.ndarray

    def require(self, columns: Sequence[str]) -> None:
        """Raise if a column is absent; the message says what is there and what is near."""
        held = [str(name) for name in self.frame.columns]
        absent = [name for name in columns if name not in held]
        if absent:
            raise DataError(
                f"{self.path}: no column {', '.join(map(repr, absent))}; it holds {', '.join(held)}"
                f"{near(absent[0], held)}"
            )

    def times(self, column: str, form: str) -> pd.DatetimeIndex:
        """Return the dates of a text column, in UTC if they tell their offset; `form` as in strftime."""
        text = self.frame[column]
        try:
            times = pd.to_datetime(text, format=form, errors="coerce", utc="%z" in form)
        except ValueError as error:
            raise DataError(
                f"{self.path}: time_format {form!r}: {error}; expected the words of strftime, as '%d.%m.%Y %H:%M'"
            ) from error
        if not re.search("%[YyGcxsDF]", form):
            raise DataError(f"{self.path}: time_format {form!r} has no year; expected one such as '%d.%m.%Y'")
        if (bad := np.flatnonzero(times.isna().to_numpy())).size:
            at = int(bad[0])
            raise DataError(
                f"{self.path}, line {self.lines[at]}, column {column!r}: {text.iloc[at]!r} is no date of the form "
                f"{form}"
            )
        return self.nanoseconds(column, pd.DatetimeIndex(times))

    def nanoseconds(self, column: str, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Return the dates of a column in ns; DataError if one is in a year that these do not hold."""
        if (far := np.flatnonzero((times.year < _YEARS[0]) | (times.year > _YEARS[1]))).size:
            at = int(far[0])
            raise DataError(
                f"{self.path}, line {self.lines[at]}, column {column!r}: {self.frame[column].iloc[at]!r}: expected a "
                f"date of {_YEARS[0]} to {_YEARS[1]}; correct it, or remove the row if it stands for no date"
            )
        return times.as_unit("ns")


def read_table(
    path: Path,
    *,
    separator: str | None = ",",
    skip: int = 0,
    names: Sequence[str] = (),
    text: Collection[str] = (),
    numbers: Collection[str] | None = None,
    lower: bool = False,
) -> Table:
    """Return the table of a text file, packed by gzip or not; columns in `text` stay text, all others are numbers.

    With `numbers` only these are. `separator` None is any blank space. `skip` lines come before the header; with
    `names` there is no header. With `lower` the names of columns are put in lower case.
    """
    _check_layout(path, separator, skip)
    lines = text_lines(path)
    rows = [(number, line) for number, line in enumerate(lines, 1) if number > skip and line.strip()]
    header = list(names) or (_cells(path, *rows.pop(0), separator) if rows else [])
    if not rows:
        raise DataError(f"{path}: no data after line {min(skip + 1, len(lines))}; the file is empty or cut off")
    header = [name.lower() for name in header] if lower else header
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise DataError(f"{path}: the column {twice[0]!r} appears twice in the header")
    text = text if numbers is None else [name for name in header if name not in numbers]
    _check_widths(path, rows, separator, len(header))
    frame = pd.read_csv(
        StringIO("\n".join(line for _, line in rows)),
        sep=separator or r"\s+",
        header=None,
        names=header,
        index_col=False,
        dtype={name: str for name in text if name in header},
        na_values={name: list(NO_VALUE) for name in header if name not in text},
        keep_default_na=False,
        low_memory=False,
    )
    return checked_numbers(Table(path, frame, np.array([number for number, _ in rows])), text)


def text_lines(path: Path) -> list[str]:
    """Return the lines of a text file, packed by gzip or not, without their ends."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            held = file.read(_LARGEST + 1)
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: the gzip file is damaged or cut off ({error}); get it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(held) > _LARGEST:
        raise DataError(f"{path}: more than {_LARGEST} bytes unpacked; expected the table of one site")
    try:
        return held.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is no UTF-8 text; is this a text table?") from error


def checked_numbers(table: Table, text: Collection[str]) -> Table:
    """Return the table if all columns but those of `text` hold numbers."""
    for name in table.frame.columns:
        column = table.frame[name]
        if name in text or column.dtype.kind in "fiu":
            continue
        numbers = pd.to_numeric(column.astype(str).where(column.notna()), errors="coerce")
        bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
        if bad.size:
            at = int(bad[0])
            raise DataError(
                f"{table.path}, line {table.lines[at]}, column {name!r}: expected a number, got {column.iloc[at]!r}"
            )
        table.frame[name] = numbers
    return table


def _check_layout(path: Path, separator: str | None, skip: int) -> None:
    """Raise if lines cannot be taken apart by the separator, or if fewer than no lines come before the header."""
    if separator is not None and (not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"'):
        raise DataError(
            f"{path}: separator {separator!r}: expected one character, as ',' or ';' (a tab in YAML is \"\\t\", in "
            f"double quotes), or None for any blank space"
        )
    if not isinstance(skip, int) or isinstance(skip, bool) or skip < 0:
        raise DataError(f"{path}: skip {skip!r}: expected the number of lines before the header, 0 or more")


def _check_widths(path: Path, rows: list[tuple[int, str]], separator: str | None, width: int) -> None:
    """Raise at the first line that is not as wide as the header."""
    for number, line in rows:
        plain = separator is not None and '"' not in line
        count = line.count(separator) + 1 if plain and separator else len(_cells(path, number, line, separator))
        if count != width:
            last = " (the last line: is the file cut off?)" if number == rows[-1][0] else ""
            raise DataError(f"{path}, line {number}: {count} cells, expected the {width} of the header{last}")


def _cells(path: Path, number: int, line: str, separator: str | None) -> list[str]:
    """Return the cells of a line; DataError if a quote is not closed, which would take the next lines for its text."""
    plain = line if separator is not None else " ".join(line.split())
    reader = csv.reader([plain, ""], delimiter=separator or " ")
    try:
        cells = next(reader)
    except csv.Error as error:
        raise DataError(f"{path}, line {number}: no line of a table ({error}); is this a text table?") from error
    if reader.line_num > 1:
        raise DataError(f"{path}, line {number}: a quote is opened and not closed; close or remove it")
    return line.split() if separator is None else [cell.strip() for cell in cells]
