"""Damage to what a run reads: refused by name, without effect, or told by the record of the run.

Files with a sum of ours (entries of a catalogue) are refused before anything opens them. Weights, run files and netCDF
files have none: a flipped bit may give other numbers, and then hashes or the run file in the record differ. Flips in
the structure of an HDF5 file are tried through the catalogue only: some of them send the HDF5 library into a loop.
"""

import hashlib
import random
import shutil
from collections import Counter

import h5py
import pytest
import xarray as xr
import yaml
from crest_run import execute, load_run
from safetensors.torch import save_file

from crest_core import CrestError, registry
from crest_core.testing import weather

from .storing.damage import KINDS, hurt

FACTS = ("graph_hash", "parameter_hash", "forcing_hash", "seed", "run_file")
RUN = {
    "graph": {"components": {"soil": {"use": "soil-lstm", "with": {"hidden": 4}, "weights": "weights.safetensors"}}},
    "forcing": {"path": "forcing.nc"},
    "period": {"start": "2001-01-01", "end": "2001-02-20"},
    "seed": 3,
}
CATALOGUE = {
    "crest_catalogue": 1,
    "name": "proof",
    "summary": "Weather that was made up",
    "entries": {
        "weather": {
            "summary": "Rain and evaporation of fifty days",
            "reader": "netcdf",
            "licence": "CC0-1.0",
            "citation": "nobody",
        }
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with weights, forcing, catalogue and run file, and what the run gives."""
    folder = tmp_path_factory.mktemp("inputs")
    names = {"precipitation": "precipitation_flux", "potential_evaporation": "water_evapotranspiration_flux"}
    forcing = weather(60, 3, seed=1).rename(names)
    for name in names.values():
        forcing[name].attrs |= {"standard_name": name, "units": "kg m-2 day-1"}
    forcing["water_evapotranspiration_flux"].attrs["positive"] = "up"
    forcing.to_netcdf(folder / "forcing.nc", engine="h5netcdf")
    save_file(registry().load("components", "soil-lstm")(hidden=4).state_dict(), folder / "weights.safetensors")
    content = (folder / "forcing.nc").read_bytes()
    entry = CATALOGUE["entries"]["weather"] | {
        "files": {"path": {"path": "forcing.nc", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}},
        "arguments": {
            "step": "1D",
            "variables": {name: {"name": name, "units": "kg m-2 day-1"} for name in names.values()},
        },
    }
    catalogue = CATALOGUE | {"entries": {"weather": entry}}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    (folder / "run.yaml").write_text(yaml.safe_dump(RUN), encoding="utf-8")
    return folder, outcome(folder)


def outcome(folder):
    """Return what a run gives: values and record."""
    results = execute(load_run(folder / "run.yaml"), progress=False)
    values = {str(name): one.values.tobytes() for name, one in results.variables.items()}
    return values, {name: results.attrs[name].replace(str(folder), "") for name in FACTS}


def values_of(file):
    """Return the first and the last byte of the rain in a netCDF file, past the structure of HDF5."""
    with h5py.File(file) as opened:
        rain = opened["precipitation_flux"].id
        return rain.get_offset(), rain.get_offset() + rain.get_storage_size()


def trial(made, folder, name, kind, generator):
    """Damage one file that a run reads, run, and return how that was taken; a change in silence is a failure."""
    whole, (values, facts) = made
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    span = values_of(folder / name) if name == "forcing.nc" else None
    what = f"{name}: {hurt(folder / name, kind, generator, span)}"
    try:
        found, told = outcome(folder)
    except CrestError as error:
        assert str(folder / name) in str(error), f"{what}: {error}"
        return "refused"
    if found == values:
        return "harmless"
    assert told != facts, f"{what}: the results differ, and nothing in the record tells it"
    return "told by the record"


def trials(made, folder, name, times, seed):
    generator = random.Random(seed)
    found = Counter(trial(made, folder / "damaged", name, kind, generator) for kind in KINDS * times)
    print(name, dict(found))
    return found


FILES = ("weights.safetensors", "run.yaml", "forcing.nc")


@pytest.mark.parametrize("name", FILES)
def test_damage_to_what_a_run_reads_is_never_silent(made, tmp_path, name):
    assert trials(made, tmp_path, name, 20, seed=5).total() == 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_of_a_catalogue_is_refused_before_it_is_opened(made, tmp_path, kind):
    generator = random.Random(7)
    open_entry = registry().load("data_sources", "catalogue")
    for number in range(5):
        folder = tmp_path / str(number)
        shutil.copytree(made[0], folder)
        assert isinstance(open_entry("weather", catalogue=folder / "catalogue.yaml"), xr.Dataset)
        hurt(folder / "forcing.nc", kind, generator)
        with pytest.raises(CrestError, match=r"forcing\.nc has (the sha256 .*|\d+ bytes), expected"):
            open_entry("weather", catalogue=folder / "catalogue.yaml")


def test_a_damaged_catalogue_is_refused_by_name_or_gives_the_same_data(made, tmp_path):
    generator, found = random.Random(8), Counter()
    open_entry = registry().load("data_sources", "catalogue")
    whole = open_entry("weather", catalogue=made[0] / "catalogue.yaml")
    for kind in KINDS * 5:
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made[0], folder)
        hurt(folder / "catalogue.yaml", kind, generator)
        try:
            dataset = open_entry("weather", catalogue=folder / "catalogue.yaml")
        except CrestError as error:
            assert "catalogue.yaml" in str(error) or "forcing.nc" in str(error), error  # of its own, or of what it says
            found["refused"] += 1
            continue
        assert dataset.attrs["catalogue_sha256"] != whole.attrs["catalogue_sha256"]
        found["told by its sum in the attributes"] += 1
    print(dict(found))
    assert found["refused"] >= 10
