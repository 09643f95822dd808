"""Workbooks (xlsx): the table of the only sheet, checked as text tables are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from crest_data.errors import DataError
from crest_data.readers.text_table import NO_VALUE, Table, checked_numbers

_LARGEST = 1 << 30  # bytes, unpacked


def read_workbook(path: Path, *, is_number: Callable[[str], bool]) -> Table:
    """Return the table of a workbook of one sheet; columns that `is_number` hold numbers, all others are text."""
    rows = _rows(path)
    if len(rows) < 2:
        raise DataError(f"{path}: no data after row {len(rows)}; the sheet is empty")
    header = ["" if cell is None else str(cell).strip() for cell in rows[0]]
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise DataError(f"{path}: the column {twice[0]!r} appears twice in the header")
    held = [(number, row) for number, row in enumerate(rows[1:], 2) if any(cell is not None for cell in row)]
    frame = pd.DataFrame([row for _, row in held], columns=header, dtype=object)
    for name in header:
        text = frame[name].map(lambda cell: "" if cell is None else str(cell).strip())
        frame[name] = text.where(~text.isin(NO_VALUE)) if is_number(name) else text
    table = Table(path, frame, np.array([number for number, _ in held]))
    return checked_numbers(table, [name for name in header if not is_number(name)])


def _rows(path: Path) -> list[tuple[object, ...]]:
    """Return the rows of the only sheet."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > _LARGEST:
            raise DataError(f"{path}: {size} bytes unpacked, more than {_LARGEST}; expected the table of one site")
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = book.worksheets
            if len(sheets) != 1:
                raise DataError(f"{path}: {len(sheets)} sheets ({', '.join(book.sheetnames)}); expected one")
            return list(sheets[0].iter_rows(values_only=True))
        finally:
            book.close()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (BadZipFile, InvalidFileException, KeyError, OSError, EOFError) as error:
        raise DataError(f"{path}: no readable workbook ({error}); is it cut off?") from error
