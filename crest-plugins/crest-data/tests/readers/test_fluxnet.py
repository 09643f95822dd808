"""The reader of FLUXNET2015, on files in its layout and on an original workbook."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.fluxnet import read_fluxnet
from openpyxl import Workbook

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
DAILY = [
    "TIMESTAMP,TA_F,TA_F_QC,P_F,P_F_QC,LE_F_MDS,LE_F_MDS_QC,NEE_VUT_REF,NEE_VUT_REF_QC,GPP_NT_VUT_REF,SWC_F_MDS_1,SWC_F_MDS_1_QC,TA_ERA",
    "20000228,5.0,1,8.64,1,100,1,0.864,0.25,2.0,25,1,4",
    "20000229,6.0,0.75,0,1,-9999,-9999,-9999,-9999,2.0,-9999,-9999,4",
    "20000301,7.0,0.25,0,1,90,0.5,-0.864,1,2.0,50,0.9,4",
]
HALF_HOURLY = [
    "TIMESTAMP_START,TIMESTAMP_END,TA_F,TA_F_QC,P_F,P_F_QC,NEE_VUT_REF,NEE_VUT_REF_QC",
    "200002282330,200002290000,5.0,0,1.8,0,10,0",
    "200002290000,200002290030,6.0,1,0,0,-9999,-9999",
    "200002290030,200002290100,7.0,3,0,2,-5,2",
]


def write(folder: Path, lines=DAILY, site="US-AR1", resolution="DD", product="FLUXNET2015_SUBSET"):
    """Write a file under the name that FLUXNET gives it."""
    file = folder / f"FLX_{site}_{product}_{resolution}_2000-2000_1-3.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def edited(lines, number, old, new):
    assert old in lines[number - 1]
    return [*lines[: number - 1], lines[number - 1].replace(old, new), *lines[number:]]


def test_days_are_in_the_convention_with_known_values(tmp_path):
    write(tmp_path)
    (tmp_path / "sites.csv").write_text("site,lat,lon,igbp\nUS-AR1,36.4267,-99.42,GRA\n")
    data = read_fluxnet(tmp_path, sites=tmp_path / "sites.csv")
    check_convention(data)
    np.testing.assert_allclose(data["air_temperature"].values[:, 0], [278.15, 279.15, 280.15])
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [1e-4, 0.0, 0.0])
    assert data["precipitation_flux"].attrs["cell_methods"] == "time: mean"
    np.testing.assert_allclose(data["net_ecosystem_exchange"].values[:, 0], [1e-8, np.nan, -1e-8])
    np.testing.assert_allclose(data["soil_moisture_1"].values[:, 0], [0.25, np.nan, 0.5])
    np.testing.assert_array_equal(data["latent_heat_flux"].values[:, 0], [100.0, np.nan, 90.0])
    assert data["cell_id"].values.tolist() == ["US-AR1"] and data["lat"].item() == 36.4267
    assert "local standard time" in data.attrs["time_zone"]
    assert "latent_heat_flux: -9999 -> missing, 1 values" in data.attrs["changes"]


def test_days_are_good_where_all_half_hours_are_and_rejected_below_a_fraction(tmp_path):
    write(tmp_path)
    data = read_fluxnet(tmp_path)
    assert data["air_temperature_quality"].values[:, 0].tolist() == [0, 3, 3]
    assert data["latent_heat_flux_quality"].values[:, 0].tolist() == [0, 1, 3]
    half = read_fluxnet(tmp_path, min_good_fraction=0.5)
    assert half["air_temperature_quality"].values[:, 0].tolist() == [0, 3, 2]
    assert np.isnan(half["air_temperature"].values[2, 0])
    assert half["net_ecosystem_exchange_quality"].values[:, 0].tolist() == [2, 1, 0]
    assert half["gross_primary_productivity_quality"].values[:, 0].tolist() == [2, 2, 0]
    assert "air_temperature: 1 values rejected" in half.attrs["changes"]


def test_half_hours_keep_local_time_or_become_utc_if_the_offset_is_given(tmp_path):
    write(tmp_path, HALF_HOURLY, resolution="HH", product="FLUXNET2015_FULLSET")
    data = read_fluxnet(tmp_path)
    check_convention(data)
    assert str(data["time"].values[0])[:16] == "2000-02-28T23:30" and "local standard time" in data.attrs["time_zone"]
    assert data["air_temperature_quality"].values[:, 0].tolist() == [0, 3, 3]
    np.testing.assert_allclose(data["precipitation_flux"].values[0, 0], 1e-3)
    np.testing.assert_allclose(data["net_ecosystem_exchange"].values[:, 0], [12.011e-8, np.nan, -6.0055e-8])
    assert "NEE_VUT_REF: umol m-2 s-1 of CO2 -> g m-2 day-1 of carbon" in data.attrs["changes"]
    utc = read_fluxnet(tmp_path, time_zone="UTC-6", worst_flag=1)
    assert str(utc["time"].values[0])[:16] == "2000-02-29T05:30" and utc.attrs["time_zone"] == "UTC"
    assert utc["air_temperature_quality"].values[:, 0].tolist() == [0, 3, 2]


def test_a_workbook_gives_what_the_text_gives(tmp_path):
    write(tmp_path)
    book = Workbook()
    for line in DAILY:
        book.active.append(
            [float(cell) if cell.lstrip("-").replace(".", "").isdigit() else cell for cell in line.split(",")]
        )
    for row in range(2, 5):
        book.active.cell(row, 1).value = int(book.active.cell(row, 1).value)
    (tmp_path / "x").mkdir()
    file = tmp_path / "x/FLX_US-AR1_FLUXNET2015_SUBSET_DD_2000-2000_1-3.xlsx"
    book.save(file)
    from_text, from_book = read_fluxnet(next(tmp_path.glob("*.csv"))), read_fluxnet(file)
    assert from_text.identical(from_book)
    book.active.cell(3, 2).value = "warm"
    book.save(file)
    with pytest.raises(DataError, match="line 3, column 'TA_F': expected a number, got 'warm'"):
        read_fluxnet(file)
    book.create_sheet("notes")
    book.save(file)
    with pytest.raises(DataError, match=r"2 sheets \(Sheet, notes\); expected one"):
        read_fluxnet(file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(DataError, match="no readable workbook .*; is it cut off"):
        read_fluxnet(file)


def test_a_workbook_of_half_hours_gives_what_the_text_gives(tmp_path):
    text = write(tmp_path, HALF_HOURLY, resolution="HH")
    head, *rows = [line.split(",") for line in HALF_HOURLY]
    book = Workbook()
    book.active.append(head)
    for row in rows:
        book.active.append([*map(int, row[:2]), *map(float, row[2:])])
    book.save(text.with_suffix(".xlsx"))
    from_text, from_book = read_fluxnet(text), read_fluxnet(text.with_suffix(".xlsx"))
    assert from_text.identical(from_book) and from_book["time"].size == 3


def test_sites_with_other_sensors_are_joined_and_told(tmp_path):
    write(tmp_path)
    other = [",".join(line.split(",")[:5]) for line in DAILY]
    write(tmp_path, other, site="CH-Dav")
    data = read_fluxnet(tmp_path)
    assert data["cell_id"].values.tolist() == ["CH-Dav", "US-AR1"]
    assert np.isnan(data["soil_moisture_1"].values[:, 0]).all() and data["soil_moisture_1"].values[0, 1] == 0.25
    assert "CH-Dav: has no LE_F_MDS" in data.attrs["changes"]
    assert read_fluxnet(tmp_path, ids=["CH-Dav"]).sizes["cell"] == 1


def test_a_resolution_is_chosen_where_there_are_two(tmp_path):
    write(tmp_path), write(tmp_path, HALF_HOURLY, resolution="HH")
    with pytest.raises(DataError, match="files at 1D and 30min; choose one, as step='1D'"):
        read_fluxnet(tmp_path)
    assert read_fluxnet(tmp_path, step="30min").sizes["time"] == 3
    with pytest.raises(DataError, match="no file at '1h'; there are files at 1D and 30min"):
        read_fluxnet(tmp_path, step="1h")
    with pytest.raises(DataError, match="step '1MS': expected '30min', '1h', '1D'"):
        read_fluxnet(tmp_path, step="1MS")


def test_a_wrong_place_name_or_choice_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no file of FLUXNET2015 at"):
        read_fluxnet(tmp_path)
    file = write(tmp_path)
    with pytest.raises(DataError, match="no site 'US-AR2' among 1 .*did you mean 'US-AR1'"):
        read_fluxnet(tmp_path, ids=["US-AR2"])
    for wrong in (50, "0.5", None, float("nan")):
        with pytest.raises(DataError, match=f"min_good_fraction {wrong!r}, worst_flag 3: expected a fraction"):
            read_fluxnet(tmp_path, min_good_fraction=wrong)
    odd = file.rename(tmp_path / "AR1.csv")
    with pytest.raises(DataError, match="AR1.csv: the name is not FLUXNET's; expected FLX_<site>_FLUXNET2015_"):
        read_fluxnet(odd)


@pytest.mark.parametrize(
    "lines, words",
    [
        (
            [*DAILY[:3], DAILY[3][:20]],
            r"line 4: 5 cells, expected the 13 of the header \(the last line",
        ),
        (edited(DAILY, 3, "6.0", "warm"), "line 3, column 'TA_F': expected a number, got 'warm'"),
        (edited(DAILY, 1, "TIMESTAMP", "DATE"), "no column 'TIMESTAMP'; it holds DATE"),
        (edited(DAILY, 2, "20000228", "200002"), "line 2, column 'TIMESTAMP': '200002' is no date of the form %Y%m%d"),
        ([*DAILY[:2], *DAILY[1:]], "line 3: the time 2000-02-28 appears twice"),
        ([*DAILY[:2], DAILY[3]], "1 times are absent, the first 2000-02-29"),
        (edited(DAILY, 2, "8.64", "-8.64"), "line 2, column 'P_F': -8.64 mm .*expected 0 to 1 kg m-2 s-1"),
        (edited(DAILY, 2, ",25,", ",2500,"), "line 2, column 'SWC_F_MDS_1': 2500 % .*expected 0 to 1 1"),
        (
            edited(DAILY, 2, "5.0,1,", "5.0,2,"),
            "TA_F_QC: 2, expected a fraction from 0 to 1; is this a file",
        ),
        (["TIMESTAMP,X", "20000228,1"], "no column of FLUXNET2015; it holds TIMESTAMP, X"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(tmp_path, lines, words):
    write(tmp_path, lines)
    with pytest.raises(DataError, match=words):
        read_fluxnet(tmp_path)


def test_half_hours_of_another_length_or_flag_are_errors(tmp_path):
    write(tmp_path, edited(HALF_HOURLY, 3, "200002290030,6.0", "200002290100,6.0"), resolution="HH")
    with pytest.raises(
        DataError, match="line 3: 2000-02-29 00:00:00 to 2000-02-29 01:00:00 is not the interval of 30 min"
    ):
        read_fluxnet(tmp_path)
    write(tmp_path, edited(HALF_HOURLY, 3, "6.0,1,", "6.0,0.5,"), resolution="HH")
    with pytest.raises(DataError, match="TA_F_QC: 0.5, expected 0, 1, 2 or 3; is this a file of another resolution"):
        read_fluxnet(tmp_path)


def test_absent_days_are_nan_if_asked_for(tmp_path):
    write(tmp_path, [*DAILY[:2], DAILY[3]])
    data = read_fluxnet(tmp_path, fill_gaps=True)
    assert data["air_temperature_quality"].values[:, 0].tolist() == [0, 1, 3]


@needs_data
def test_the_original_workbook_agrees_with_pandas():
    file = Path(DATA) / "flux_towers/FLX_US-AR1_FLUXNET2015_SUBSET_DD_2009-2012_1-3.xlsx"
    data = read_fluxnet(file, sites=Path(DATA) / "fluxnet2015/sites.csv", min_good_fraction=0.5)
    check_convention(data)
    plain = pd.read_excel(file).replace(-9999, np.nan)
    kept = plain["LE_F_MDS"].where(plain["LE_F_MDS_QC"] >= 0.5)
    np.testing.assert_array_equal(data["latent_heat_flux"].values[:, 0], kept)
    moisture = plain["SWC_F_MDS_1"].where(plain["SWC_F_MDS_1_QC"] >= 0.5)
    np.testing.assert_allclose(data["soil_moisture_1"].values[:, 0] * 100.0, moisture)
    assert int(plain["SWC_F_MDS_1"].isna().sum()) == 104  # and the reader says so
    assert "soil_moisture_1: -9999 -> missing, 104 values" in data.attrs["changes"]
    carbon = plain["NEE_VUT_REF"].where(plain["NEE_VUT_REF_QC"] >= 0.5)
    np.testing.assert_allclose(data["net_ecosystem_exchange"].values[:, 0] * 86400.0 * 1000.0, carbon)


def test_an_empty_doubled_or_absent_workbook_is_an_error(tmp_path):
    file = tmp_path / "FLX_US-AR1_FLUXNET2015_SUBSET_DD_2000-2000_1-3.xlsx"
    with pytest.raises(DataError, match="xlsx: there is no such file"):
        read_fluxnet(file)
    book = Workbook()
    book.active.append(["TIMESTAMP", "TA_F", "TA_F"])
    book.save(file)
    with pytest.raises(DataError, match="no data after row 1; the sheet is empty"):
        read_fluxnet(file)
    book.active.append([20000228, 1, 2])
    book.save(file)
    with pytest.raises(DataError, match="the column 'TA_F' appears twice in the header"):
        read_fluxnet(file)
