"""Text tables: what is read, and what is refused with file, line and column."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from crest_data.errors import DataError
from crest_data.readers.text_table import read_table


def write(folder: Path, text: str | bytes, name="a.csv"):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_numbers_are_numbers_and_text_keeps_its_zeros(tmp_path):
    table = read_table(write(tmp_path, 'id,x,y\r\n01, 1.5,"2"\r\n\r\n02,NA,\r\n'), text=["id"])
    assert table.frame["id"].tolist() == ["01", "02"] and table.lines.tolist() == [2, 4]
    np.testing.assert_array_equal(table.frame[["x", "y"]].to_numpy(), [[1.5, 2.0], [np.nan, np.nan]])


def test_a_cell_with_a_separator_is_one_cell_in_quotes(tmp_path):
    table = read_table(write(tmp_path, 'name,x\n"Kent, Maine",1\n'), numbers=["x"])
    assert table.frame["name"].tolist() == ["Kent, Maine"]


def test_a_mark_of_byte_order_and_gzip_are_seen_through(tmp_path):
    packed = gzip.compress("\ufeffx\n1\n".encode())
    assert read_table(write(tmp_path, packed, "a.csv.gz")).frame["x"].tolist() == [1]


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "no data after line 0; the file is empty or cut off"),
        ("x,y\n", "no data after line 1; the file is empty or cut off"),
        ("x,y\n1,2\n3\n4,5\n", "line 3: 1 cells, expected the 2 of the header$"),
        ("x,y\n1,2\n3", r"line 3: 1 cells, expected the 2 of the header \(the last line: is the file cut off\?\)"),
        ("x,y\n1,2\n3,4,5\n", "line 3: 3 cells, expected the 2"),
        ("x,y\n1,2\n3,4 mm\n", "line 3, column 'y': expected a number, got '4 mm'"),
        ("x,y\n1,True\n", "line 2, column 'y': expected a number, got"),
        ("x,x\n1,2\n", "the column 'x' appears twice in the header"),
        (b"x\n\xff\n", "byte 2 is no UTF-8 text; is this a text table?"),
    ],
)
def test_a_table_that_is_none_is_an_error_that_says_where(tmp_path, text, words):
    with pytest.raises(DataError, match=f"a.csv.*{words}"):
        read_table(write(tmp_path, text))


@pytest.mark.parametrize(
    "text, separator, line",
    [
        ('x,name\n1,"a\n2,b\n', ",", 2),
        ('x,name\n1,"a\n2,b\n3,"c\n4,d\n', ",", 2),  # closed two lines below, after which they are one cell
        ('x,"name\n1,a\n', ",", 1),
        ('x name\n1 a\n2\t"b\n', None, 3),
    ],
)
def test_a_quote_that_is_not_closed_is_an_error_that_names_its_line(tmp_path, text, separator, line):
    said = f"a.csv, line {line}: a quote is opened and not closed; close or remove it"
    with pytest.raises(DataError, match=said):
        read_table(write(tmp_path, text), separator=separator, numbers=["x"])


@pytest.mark.parametrize("separator", [r"\s+", ";;", "", "\n", '"', r"\t", 5])
def test_a_separator_that_is_no_character_is_refused(tmp_path, separator):
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path, "x,y\n1,2\n"), separator=separator)
    said = f"a.csv: separator {separator!r}: expected one character, as ',' or ';' (a tab in YAML is \"\\t\", in double"
    assert said in str(caught.value)


@pytest.mark.parametrize("skip", [-1, True, 1.5])
def test_lines_to_skip_are_none_or_more(tmp_path, skip):
    with pytest.raises(DataError, match=f"a.csv: skip {skip}: expected the number of lines before the header, 0 or"):
        read_table(write(tmp_path, "x,y\n1,2\n"), skip=skip)


def test_a_line_that_no_table_holds_is_told(tmp_path):
    with pytest.raises(DataError, match=r"a.csv, line 1: no line of a table \(field larger than field limit"):
        read_table(write(tmp_path, b"\0" * 200_000))


def test_a_quote_within_text_is_text(tmp_path):
    table = read_table(write(tmp_path, 'x,name\n1,5" pipe\n2,b\n'), numbers=["x"])
    assert table.frame["name"].tolist() == ['5" pipe', "b"]


def test_a_file_that_cannot_be_read_or_unpacked_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"b.csv: cannot be read \(No such file or directory\)"):
        read_table(tmp_path / "b.csv")
    with pytest.raises(DataError, match="a.csv.gz: the gzip file is damaged or cut off"):
        read_table(write(tmp_path, "x\n1\n", "a.csv.gz"))


def test_an_absent_column_is_named_with_those_like_it(tmp_path):
    table = read_table(write(tmp_path, "rain,temperatur\n1,2\n"))
    with pytest.raises(DataError, match="a.csv: no column 'temperature'; it holds rain, temperatur; did you mean"):
        table.require(["rain", "temperature"])
