"""The Fulda record: a small file in the layout of spotpy's, whose real one is opened through the catalogue."""

import numpy as np
import pytest
from crest_data import DataError, check_convention, read_fulda

HEAD = "date,tmax,tmin,tmean,Prec,Q\n#,°C,°C,°C,mm/day,m³/s\n"
ROWS = "01.01.1979,-12.9,-20.1,-16.5,86.4,143\n02.01.1979,-10.9,-19.8,-15.35,0,110\n"


def test_units_of_the_second_line_become_si(tmp_path):
    (tmp_path / "fulda.csv").write_text(HEAD + ROWS, encoding="utf-8")
    data = read_fulda(tmp_path / "fulda.csv")
    check_convention(data)
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [1e-3, 0.0])
    np.testing.assert_allclose(data["air_temperature"].values[:, 0], [256.65, 257.8])
    assert data["air_temperature_max"].attrs["cell_methods"] == "time: maximum"
    assert data["time"].values[0] == np.datetime64("1979-01-01")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROWS + "03.01.1979,1,1", "line 5: 3 cells, expected the 6"),
        (ROWS + "03/01/1979,1,1,1,1,1\n", "line 5, column 'date': '03/01/1979' is no date"),
        (ROWS + "02.01.1979,1,1,1,1,1\n", "1979-01-02"),
        (ROWS + "03.01.1979,1,1,1,wet,1\n", "line 5, column 'Prec': expected a number, got 'wet'"),
        (ROWS + "03.01.1979,1,1,1,-1,1\n", "precipitation_flux"),
    ],
)
def test_a_bad_row_is_told(tmp_path, rows, words):
    (tmp_path / "fulda.csv").write_text(HEAD + rows, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_fulda(tmp_path / "fulda.csv")
    assert words in str(caught.value)
