"""Text tables: columns as declared, each fault with its line."""

import numpy as np
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.csv import read_csv
from crest_data.variable import Variable

VARIABLES = {
    "P": Variable(
        "rain", "mm", "precipitation_flux", to_units="kg m-2 s-1", cell_methods="time: sum", bounds=(0.0, 0.01)
    ),
    "T": Variable("warmth", "degC", "air_temperature", to_units="K", missing=(-99.0,), bounds=(150.0, 350.0)),
}
HERE = {"gauge": (50.0, 8.0)}


def read(text, tmp_path, variables=VARIABLES, **arguments):
    path = tmp_path / "data.csv"
    path.write_text(text)
    return read_csv(path, variables, **{"step": "1D", "places": HERE, **arguments})


def test_columns_become_variables(tmp_path):
    held = read("time,P,T,note\n2001-01-01,86.4,1.5,a\n2001-01-02,0,-99,b\n", tmp_path, licence="CC0")
    check_convention(held)
    assert held["rain"].values.ravel().tolist() == [0.001, 0.0]
    np.testing.assert_array_equal(held["warmth"].values.ravel(), [274.65, np.nan])
    assert held["warmth_quality"].values.ravel().tolist() == [0, 1]
    assert held["cell_id"].values.tolist() == ["gauge"] and held.attrs["source"] == "data.csv"


def test_rows_of_several_cells_are_put_side_by_side(tmp_path):
    text = "time,id,P,T\n2001-01-01,b,0,1\n2001-01-01,a,0,2\n2001-01-02,b,0,3\n2001-01-02,a,0,4\n"
    held = read(text, tmp_path, cell="id", places={"a": (1.0, 2.0), "b": (3.0, 190.0)})
    assert held["warmth"].values.tolist() == [[275.15, 274.15], [277.15, 276.15]]
    assert held["lon"].values.tolist() == [2.0, -170.0]


def test_dates_with_an_offset_become_utc_even_where_the_clock_changes(tmp_path):
    lines = ["2014-10-26T02:00+02:00,0,1", "2014-10-26T02:00+01:00,0,2", "2014-10-26T03:00+01:00,0,3"]
    held = read("\n".join(["time,P,T", *lines]), tmp_path, step="1h")
    assert (
        held["time"].values.tolist()
        == np.arange("2014-10-26T00", "2014-10-26T03", dtype="M8[h]").astype("M8[ns]").tolist()
    )


@pytest.mark.parametrize(
    ("dates", "form", "said"),
    [
        (("2001-01-01T02:00+02:00", "2001-01-02T02:00+02:00"), "", ["time: +02:00, as the dates tell it, -> UTC"]),
        (
            ("2001-01-01 02:00+02:00", "2001-01-02 01:00+0100"),
            "",
            ["time: +02:00, +0100, as the dates tell it, -> UTC"],
        ),
        (("2001-01-01T00:00Z", "2001-01-02T00:00+00:00"), "", []),
        (
            ("1.1.2001 2:00 +0200", "2.1.2001 1:00 +0100"),
            "%d.%m.%Y %H:%M %z",
            ["time: offsets as the dates tell them (%d.%m.%Y %H:%M %z) -> UTC"],
        ),
    ],
)
def test_offsets_of_dates_are_told_where_they_move_the_times(dates, form, said, tmp_path):
    held = read(f"time,P,T\n{dates[0]},0,1\n{dates[1]},0,2\n", tmp_path, time_format=form)
    assert held["time"].values.astype("M8[m]").astype(str).tolist() == ["2001-01-01T00:00", "2001-01-02T00:00"]
    assert [line for line in held.attrs["changes"].splitlines() if line.startswith("time")] == said


def test_dates_of_another_form_and_other_separators(tmp_path):
    held = read("made by hand\nday;P;T\n01.02.2001;0;1\n02.02.2001;0;NA\n", tmp_path, separator=";", skip=1, time="day",
                time_format="%d.%m.%Y", label="end", time_zone="UTC+1")  # fmt: skip
    assert held["time"].values[0] == np.datetime64("2001-01-31") and held.attrs["time_zone"] == "UTC+1"
    assert np.isnan(held["warmth"].values[1, 0])


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("time,P,T\n2001-01-01,1,2\n2001-01-02,1,x\n", {}, "line 3, column 'T': expected a number, got 'x'"),
        (
            "time,P,T\n2001-01-01,1,2\n2001-01-02,1\n",
            {},
            "line 3: 2 cells, expected the 3 of the header (the last line: is",
        ),
        ("time,P\n2001-01-01,1\n", {}, "no column 'T'; it holds time, P"),
        (
            "time,P,T\n2001-01-01,1,2\n01/02/2001,1,2\n",
            {},
            "line 3, column 'time': '01/02/2001' is no ISO date; give time_",
        ),
        (
            "time,P,T\n2001-02-30,1,2\n",
            {"time_format": "%Y-%m-%d"},
            "line 2, column 'time': '2001-02-30' is no date of the",
        ),
        (
            "time,P,T\n2001-01-01T00:00Z,1,2\n2001-01-02T00:00,1,2\n",
            {},
            "line 3, column 'time': '2001-01-02T00:00' tells its",
        ),
        (
            "time,P,T\n2001-01-01,1,2\n2001-01-01,1,2\n",
            {},
            "time 2001-01-01T00:00:00 at index 1 appears twice; keep one",
        ),
        ("time,P,T\n2001-01-02,1,2\n2001-01-01,1,2\n", {}, "not sorted; sort by time"),
        (
            "time,P,T\n2001-01-01,-1,2\n",
            {},
            "rain: -1 mm at index [0, 0] (1 such values): expected finite values within",
        ),
        ("time,P,T\n2001-01-01,1,2\n", {"places": {}}, "no places; give places={'an id': (latitude, longitude)}"),
        (
            "time,P,T\n2001-01-01,1,2\n",
            {"places": HERE | {"b": (1, 2)}},
            "2 places and no column of cells; give cell=, or one",
        ),
        (
            "time,id,P,T\n2001-01-01,a,1,2\n",
            {"cell": "id"},
            "no place for the cells ['a'] (1 in all); add them to places=",
        ),
        (
            "time,id,P,T\n2001-01-01,a,1,2\n2001-01-02,a,1,2\n2001-01-01,b,1,2\n",
            {"cell": "id", "places": {"a": (1, 2), "b": (3, 4)}},
            "the cell 'b' has 1 rows, 'a' has 2, or at other times; add rows with empty values, or read the cells",
        ),
        (
            "time,id,P,T\n2001-01-01,a,1,2\n2001-01-02,b,1,2\n",
            {"cell": "id", "places": {"a": (1, 2), "b": (3, 4)}},
            "the cell 'b' has 1 rows, 'a' has 1, or at other times; add rows with empty values",
        ),
        (
            "time,P,T\n2001-01-01,1,2\n",
            {"places": {"a": [50.5, 8.6, 3]}},
            "places: 'a' is at [50.5, 8.6, 3]; expected (latitude, longitude) in degrees, two numbers",
        ),
        ("time,P,T\n2001-01-01,1,2\n", {"places": {"a": "45"}}, "places: 'a' is at '45'; expected (latitude"),
        ("time,P,T\n2001-01-01,1,2\n", {"places": [50.5, 8.6, 3]}, "places [50.5, 8.6, 3]; give places={'an id'"),
        (
            "time,P,T\n0000-01-01,1,2\n",
            {},
            "line 2, column 'time': '0000-01-01': expected a date of 1678 to 2261; correct it, or remove the row",
        ),
        (
            "time,P,T\n2001-01-01,1,2\n31.12.9999,1,2\n".replace("2001-01-01", "01.01.2001"),
            {"time_format": "%d.%m.%Y"},
            "line 3, column 'time': '31.12.9999': expected a date of 1678 to 2261",
        ),
        (
            "time,P,T\n2001-01-01,1,2\n",
            {"time_format": "%Q"},
            "time_format '%Q': 'Q' is a bad directive in format '%Q'; expected the words of strftime, as '%d.%m.%Y",
        ),
        ("time,P,T\n03-01,1,2\n", {"time_format": "%m-%d"}, "time_format '%m-%d' has no year; expected one such as"),
        (
            "time,P,T\n2001-01-01T00:00+01:00,1,2\n",
            {"time_zone": "UTC+1", "step": "1h"},
            "time_zone 'UTC+1': the times tell their own zone (UTC); leave time_zone out",
        ),
        ("", {}, "the file is empty; get it again"),
        ("time,P,T\n", {}, "no data after line 1; the file is empty or cut off"),
    ],
)
def test_a_fault_is_told_with_its_file_and_line(text, arguments, said, tmp_path):
    with pytest.raises(DataError) as caught:
        read(text, tmp_path, **arguments)
    assert str(caught.value).startswith(str(tmp_path / "data.csv")) and said in str(caught.value)


def test_a_cell_that_holds_no_values_reads_as_missing(tmp_path):
    rain = {"P": Variable("rain", "mm", cell_methods="time: sum")}
    assert np.isnan(read("time,P\n2001-01-01,\n2001-01-02,\n", tmp_path, rain)["rain"].values).all()
