"""The reader of CAMELS-US text files, on files in the layout of the archive and on original ones."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.camels_us import read_camels_us

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
AREA = 100_000_000.0  # m2
HEADER = "Year Mnth Day Hr\tDayl(s)\tPRCP(mm/day)\tSRAD(W/m2)\tSWE(mm)\tTmax(C)\tTmin(C)\tVp(Pa)"
DAYS = ("2000\t2\t28", "2000\t2\t29", "2000\t3\t1")


def forcing_lines(days=DAYS):
    """Lines of a forcing file as the archive writes them."""
    series = [
        f"{day}\t12\t43200.00\t{8.64 * i:.2f}\t200.00\t0.00\t{5.0 + i}\t{-1.0 + i}\t600.00"
        for i, day in enumerate(days)
    ]
    return ["  44.61", " 121.00", f" {AREA:.0f}", HEADER, *series]


def write(folder: Path, basin="01022500", product="maurer", forcing=None, flow=None):
    """Write the folders of the archive with one basin of three days."""
    name = f"{basin}_lump_{product}_forcing_leap.txt"
    files = {
        f"basin_mean_forcing/x/01/{name}": forcing_lines() if forcing is None else forcing,
        f"usgs_streamflow/01/{basin}_streamflow_qc.txt": flow
        or [f"{basin} 2000 02 28   100.00 A", f"{basin} 2000 02 29    50.00 A:e", f"{basin} 2000 03 01  -999.00 M"],
    }
    for path, lines in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("\n".join(lines) + "\n")
    return folder


def write_attributes(folder: Path, basins=("01022500",)):
    (folder / "att").mkdir(parents=True, exist_ok=True)
    topo = [
        "gauge_id;gauge_lat;gauge_lon;elev_mean;area_gages2",
        *(f"{one};44.60;-67.93;92.68;573.6" for one in basins),
    ]
    name = ["gauge_id;huc_02;gauge_name", *(f"{one};01;Narraguagus River, Maine" for one in basins)]
    (folder / "att/camels_topo.txt").write_text("\n".join(topo))
    (folder / "att/camels_name.txt").write_text("\n".join(name))
    return folder / "att"


def test_a_basin_is_in_the_convention_with_known_values(tmp_path):
    data = read_camels_us(write(tmp_path), attributes=write_attributes(tmp_path))
    check_convention(data)
    assert data["precipitation_flux"].dims == ("time", "cell")
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [0.0, 1e-4, 2e-4], rtol=1e-12)
    assert data["precipitation_flux"].attrs["units"] == "kg m-2 s-1"
    np.testing.assert_allclose(data["air_temperature_max"].values[:, 0], [278.15, 279.15, 280.15])
    assert data["air_temperature_max"].attrs["cell_methods"] == "time: maximum"
    assert "streamflow" not in read_camels_us(tmp_path, streamflow=False)
    assert [str(one)[:10] for one in data["time"].values] == ["2000-02-28", "2000-02-29", "2000-03-01"]
    assert data["cell_id"].values.tolist() == ["01022500"]
    assert data["lat"].values.tolist() == [44.60] and data["lon"].values.tolist() == [-67.93]
    assert data["elev_mean"].attrs["units"] == "m" and data["area_gages2"].attrs["units"] == "km2"
    assert data["gauge_name"].values.tolist() == ["Narraguagus River, Maine"]
    assert "local days" in data.attrs["time_zone"]


def test_discharge_becomes_a_depth_by_the_area_and_its_flags_a_quality(tmp_path):
    data = read_camels_us(write(tmp_path))
    flow = data["streamflow"].values[:, 0]
    np.testing.assert_allclose(
        flow[:2], [100.0 * 0.028316846592 * 1000.0 / AREA, 50.0 * 0.028316846592 * 1000.0 / AREA]
    )
    assert np.isnan(flow[2])
    assert data["streamflow_quality"].values[:, 0].tolist() == [0, 3, 1]
    assert "01022500: streamflow ft3 s-1 -> mm day-1 by the area 100000000 m2" in data.attrs["changes"]
    assert "-999 -> missing, 1 values" in data.attrs["changes"]


def test_radiation_is_the_daylight_mean_unless_the_day_mean_is_asked_for(tmp_path):
    folder = write(tmp_path)
    daylight = read_camels_us(folder)
    assert daylight["shortwave_down_daylight"].values[0, 0] == 200.0 and "shortwave_down" not in daylight
    whole = read_camels_us(folder, srad="24h")
    assert whole["shortwave_down"].values[0, 0] == 100.0 and "shortwave_down_daylight" not in whole
    assert "srad: mean over daylight x dayl / 86400 s -> mean over 24 h" in whole.attrs["changes"]
    with pytest.raises(DataError, match="srad 'day': expected 'daylight'"):
        read_camels_us(folder, srad="day")


def test_products_are_told_apart_by_their_file_names(tmp_path):
    write(tmp_path, product="cida")
    assert "snow_water_equivalent" in read_camels_us(tmp_path, forcing="daymet")
    with pytest.raises(DataError, match="no basin found here"):
        read_camels_us(tmp_path, forcing="nldas")
    with pytest.raises(DataError, match="forcing 'era5': expected 'maurer', 'nldas', 'daymet'"):
        read_camels_us(tmp_path, forcing="era5")
    maurer = read_camels_us(write(tmp_path))
    assert "snow_water_equivalent" not in maurer and "swe: left out, maurer has none" in maurer.attrs["changes"]


def test_extremes_that_are_the_mean_are_told(tmp_path):
    lines = [
        line.replace("\t-1.0\t", "\t5.0\t").replace("\t0.0\t600", "\t6.0\t600").replace("\t1.0\t600", "\t7.0\t600")
        for line in forcing_lines()
    ]
    data = read_camels_us(write(tmp_path, forcing=lines))
    assert data.attrs["remarks"].startswith("tmax equals tmin on all days of 01022500")


def test_packed_files_and_chosen_basins_are_read(tmp_path):
    write(tmp_path), write(tmp_path, basin="06614800")
    plain = read_camels_us(tmp_path, ids=["06614800"])
    for file in tmp_path.rglob("*.txt"):
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    packed = read_camels_us(tmp_path, ids=["06614800", "01022500"])
    assert packed["cell_id"].values.tolist() == ["06614800", "01022500"]
    np.testing.assert_array_equal(packed["streamflow"].values[:, :1], plain["streamflow"].values)


def test_an_unknown_basin_is_an_error_that_names_one_like_it(tmp_path):
    with pytest.raises(DataError, match=r"no basin '01022501' among 1 \(01022500\); did you mean '01022500'\?"):
        read_camels_us(write(tmp_path), ids=["01022501"])
    with pytest.raises(DataError, match=r"expected a list of basins, as \['01022500'\]"):
        read_camels_us(tmp_path, ids="01022500")
    with pytest.raises(DataError, match="no row for '01022500'; did you mean '01022501'"):
        read_camels_us(tmp_path, attributes=write_attributes(tmp_path, basins=["01022501"]))


def replaced(number, old, new):
    """Return an edit of lines: one text of one line, counted from 1, is another."""

    def edit(lines):
        assert old in lines[number - 1]
        return [*lines[: number - 1], lines[number - 1].replace(old, new), *lines[number:]]

    return edit


@pytest.mark.parametrize(
    "edit, words",
    [
        (lambda all: [*all[:-1], all[-1][:20]], r"line 7: 5 cells, expected the 11 of the header \(the last line: is"),
        (replaced(5, "43200.00", "n/a"), r"line 5, column 'dayl\(s\)': expected a number, got 'n/a'"),
        (replaced(4, "PRCP(mm/day)", "PRCP(in/day)"), r"no column 'prcp\(mm/day\)'.* did you mean 'prcp\(in/day\)'"),
        (lambda all: all[1:], r"line 3: expected the area \[m2\] of the basin, got 'Year Mnth"),
        (replaced(3, "100000000", "-5"), "latitude 44.61 and area -5 m2 cannot be"),
        (lambda all: [*all[:5], *all[4:]], "line 6: the time 2000-02-28 appears twice; keep one"),
        (lambda all: [*all[:5], all[6], all[5]], "line 7: the time 2000-02-29 is not sorted; sort the file"),
        (lambda all: [*all[:5], all[6]], "1 times are absent, the first 2000-02-29; repair the file, or ask"),
        (replaced(5, "\t28\t", "\t31\t"), "'2000-2-31' is no date of the form"),
        (replaced(5, "\t12\t", "\t13\t"), r"column 'hr' holds \[12, 13\]; expected one hour"),
        (replaced(4, "Tmin(C)", "Tmax(C)"), r"the column 'tmax\(c\)' appears twice in the header"),
        (lambda all: all[:4], "no data after line 4; the file is empty or cut off"),
        (
            replaced(5, "\t0.00\t200", "\t-5.00\t200"),
            r"line 5, column 'prcp.*': -5 mm day-1 .*expected 0 to 1 kg",
        ),
    ],
)
def test_a_bad_forcing_file_is_an_error_that_says_where(tmp_path, edit, words):
    folder = write(tmp_path, forcing=edit(forcing_lines()))
    with pytest.raises(DataError, match=words):
        read_camels_us(folder)


@pytest.mark.parametrize(
    "line, words",
    [
        ("01022500 2000 02 29    50.00 X", "line 2: flag 'X', expected A, A:e, M"),
        ("01022500 2000 02 29  -999.00 A", "line 2: discharge -999 with the flag 'A'"),
        ("01022600 2000 02 29    50.00 A", "line 2: gauge '01022600', expected '01022500'"),
        ("01022500 2000 02 29", "line 2: 4 cells, expected the 6 of the header"),
    ],
)
def test_a_bad_streamflow_file_is_an_error_that_says_where(tmp_path, line, words):
    flow = ["01022500 2000 02 28   100.00 A", line, "01022500 2000 03 01  -999.00 M"]
    with pytest.raises(DataError, match=words):
        read_camels_us(write(tmp_path, flow=flow))


def test_absent_days_are_nan_if_asked_for_and_told(tmp_path):
    lines = forcing_lines()
    data = read_camels_us(write(tmp_path, forcing=[*lines[:5], lines[6]]), fill_gaps=True)
    assert np.isnan(data["precipitation_flux"].values[1, 0]) and data.sizes["time"] == 3
    assert "1 times are absent, the first 2000-02-29; inserted as nan" in data.attrs["changes"]


def test_a_damaged_packed_file_is_an_error_with_its_name(tmp_path):
    folder = write(tmp_path)
    file = next(folder.rglob("*_forcing_leap.txt"))
    Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes())[:-12])
    file.unlink()
    with pytest.raises(DataError, match="forcing_leap.txt.gz: the gzip file is damaged or cut off"):
        read_camels_us(folder)


def test_two_files_of_one_basin_are_an_error(tmp_path):
    folder = write(tmp_path)
    file = next(folder.rglob("*_forcing_leap.txt"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / file.name).write_text(file.read_text())
    with pytest.raises(DataError, match="forcing 'maurer' of basin 01022500: expected one file, found .*other"):
        read_camels_us(folder)


@needs_data
def test_the_original_files_of_two_basins_agree_with_pandas():
    folder = Path(DATA) / "camels_us"
    data = read_camels_us(folder / "raw_example", attributes=folder / "attributes.csv", srad="24h")
    check_convention(data)
    file = folder / "raw_example/06614800_lump_maurer_forcing_leap.txt.gz"
    plain = pd.read_csv(file, sep=r"\s+", skiprows=3)
    cell = data.isel(cell=data["cell_id"].values.tolist().index("06614800")).sel(time=slice("1980", "2008"))
    np.testing.assert_allclose(cell["precipitation_flux"] * 86400.0, plain["prcp(mm/day)"], atol=1e-9)
    np.testing.assert_allclose(cell["air_temperature_min"] - 273.15, plain["tmin(C)"], atol=1e-9)
    np.testing.assert_allclose(cell["shortwave_down"], plain["srad(W/m2)"] * plain["dayl(s)"] / 86400.0)
    assert cell["lat"].item() == pytest.approx(40.49609)
    # zcat 01022500_streamflow_qc.txt.gz | head -1: 395.00 A; zgrep -c M: 92; third line of the forcing file: 587675987
    flow = data["streamflow"].isel(cell=0).sel(time="1980-01-01").item()
    assert flow * 86400.0 == pytest.approx(395.0 * 0.028316846592 * 86400.0 / 587675987.0 * 1000.0)
    assert int((data["streamflow_quality"].isel(cell=0) == 1).sum()) == 92


def test_attributes_that_are_not_there_or_told_twice_are_errors(tmp_path):
    folder = write(tmp_path)
    with pytest.raises(DataError, match="no files camels_\\*.txt of attributes here"):
        read_camels_us(folder, attributes=folder / "usgs_streamflow")
    tables = write_attributes(tmp_path)
    (tables / "camels_more.txt").write_text("gauge_id;elev_mean\n01022500;5\n")
    with pytest.raises(DataError, match="the attribute 'elev_mean' is in two files; keep one"):
        read_camels_us(folder, attributes=tables)
