"""Overpasses of flux towers: a small table in the layout of the package, and the real one where it is installed."""

from importlib.util import find_spec

import numpy as np
import pytest
from crest_data import DataError, check_convention, open_entry, read_overpasses
from crest_data.overpasses import _VARIABLES

TIMES = ["2020-06-01 18:00:10", "2020-06-02 19:00:00", "2020-06-01 18:00:10"]
TOWERS = ["US-Aaa", "US-Aaa", "US-Bbb"]
SITES = "Site ID,Lat,Long\nUS-Aaa,35.5,-76.5\nUS-Bbb,40.0,-120.0\nUS-Ccc,41.0,-121.0\n"


def write(folder, towers=TOWERS, times=TIMES):
    header = ",".join(["", "ID", "vegetation", *_VARIABLES, "eco_time_utc"])
    rows = [
        ",".join([str(i), tower, "ENF", *(str(100.0 + i) for _ in _VARIABLES), time])
        for i, (tower, time) in enumerate(zip(towers, times, strict=True))
    ]
    (folder / "sites.csv").write_text(SITES)
    (folder / "table.csv").write_text("\n".join([header, *rows]) + "\n")
    return {"path": folder / "table.csv", "sites": folder / "sites.csv"}


def test_a_tower_has_values_at_its_own_overpasses_and_nan_at_others(tmp_path):
    data = read_overpasses(**write(tmp_path))
    check_convention(data)
    assert data["cell_id"].values.tolist() == ["US-Aaa", "US-Bbb"]
    np.testing.assert_array_equal(data["latent_heat_flux"].values, [[100.0, 102.0], [101.0, np.nan]])
    np.testing.assert_array_equal(data["air_temperature"].values[0], [373.15, 375.15])
    assert data["latent_heat_flux"].attrs["cell_methods"] == "time: point"
    assert data["lon"].values.tolist() == [-76.5, -120.0]


def test_towers_are_chosen_by_name(tmp_path):
    assert read_overpasses(**write(tmp_path), ids=["US-Bbb"]).sizes == {"time": 1, "cell": 1}
    with pytest.raises(DataError, match="no tower 'US-Bbc' among 2"):
        read_overpasses(**write(tmp_path), ids=["US-Bbc"])


def test_what_the_tables_lack_is_told(tmp_path):
    with pytest.raises(DataError, match="no place for the tower 'US-Zzz'"):
        read_overpasses(**write(tmp_path, towers=["US-Aaa", "US-Aaa", "US-Zzz"]))
    with pytest.raises(DataError, match="the tower 'US-Aaa' has two rows for one overpass; keep one"):
        read_overpasses(**write(tmp_path, towers=["US-Aaa", "US-Bbb", "US-Aaa"]))
    with pytest.raises(DataError, match="no column 'Site ID'"):
        read_overpasses(write(tmp_path)["path"])


@pytest.mark.skipif(find_spec("PTJPLSM") is None, reason="needs pip install --no-deps ptjplsm, which is optional")
def test_the_real_table_has_a_closed_energy_balance_on_average():
    data = open_entry("ecostress-towers-pt-jpl")
    assert data.sizes == {"time": 669, "cell": 63}
    assert int(data["latent_heat_flux"].notnull().sum()) == 1065
    turbulent = data["latent_heat_flux_closed"] + data["sensible_heat_flux"]
    available = data["net_radiation"] - data["ground_heat_flux"]
    assert 0.7 < float(turbulent.mean() / available.mean()) < 1.1
