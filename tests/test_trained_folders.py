"""A graph of registered components is trained, handed over as model folders, run by name and scored."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from crest_models import add_model, card, load_model
from crest_run import build_graph, load_run
from crest_training.train_file import load_train_file
from crest_training.trained_models import trained_models
from crest_training.workflow import run_training

from crest_core import parameter_hash
from crest_core.cli import main as crest
from crest_core.plugins import registry

WEATHER = {
    "precipitation_flux": "kg m-2 day-1",
    "air_temperature_max": "degC",
    "air_temperature_min": "degC",
    "shortwave_down": "W m-2",
    "runoff_flux": "kg m-2 day-1",
}
FORCING = ["liquid_water_flux", "shortwave_down"]
GRAPH = {
    "components": {
        "snow": {"use": "snow-degree-day", "with": {"bands": 2}},
        "river": {"use": "streamflow-lstm", "with": {"hidden": 4, "attributes": {}, "forcing": FORCING}},
    },
    "connections": [{"from": "snow.liquid_water_flux", "to": "river.liquid_water_flux"}],
}
KEYS = {
    "graph": GRAPH,
    "forcing": {"path": "weather.nc"},
    "samples": {"steps": 20, "spin_up": 10, "every": 20},
    "training": {"start": "2001-02-01", "end": "2001-08-01"},
    "objectives": [{"output": "runoff_flux", "loss": "mse"}],
    "epochs": 1,
    "seeds": [1],
    "folder": "trained",
    "model": {"name": "valley", "summary": "A valley", "licence": "MIT", "citation": "none", "data": "made up"},
}


def write(folder, name, keys):
    (folder / name).write_text(json.dumps(keys), encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training file, its data, and the member that it trained."""
    folder = tmp_path_factory.mktemp("valley")
    times = xr.date_range("2001-01-01", "2001-12-31", freq="1D")
    draw = np.random.default_rng(1)
    values = {name: draw.exponential(3.0, (len(times), 2)) for name in WEATHER}
    values["air_temperature_max"] += values["air_temperature_min"]
    fields = {name: (("time", "cell"), value, {"units": WEATHER[name]}) for name, value in values.items()}
    places = {"cell_id": ("cell", ["a", "b"]), "lat": ("cell", [40.0, 41.0]), "lon": ("cell", [9.0, 9.0])}
    xr.Dataset(fields, {"time": times, **places}).to_netcdf(folder / "weather.nc")
    file = load_train_file(write(folder, "train.yaml", KEYS))
    return folder, run_training(file, progress=False)[0]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty model directory."""
    monkeypatch.setenv("CREST_MODELS", str(tmp_path / "shelf"))
    registry.cache_clear()
    yield
    registry.cache_clear()


def evaluated(capsys, *words):
    try:
        crest(["evaluate", *map(str, words)])
    except SystemExit:
        pass
    printed = capsys.readouterr()
    return " ".join((printed.out + printed.err).replace("│", " ").split())


def test_each_component_of_a_trained_graph_is_a_model_folder_with_its_statistics(trained):
    folder, member = trained
    for name, child in member.model.components.items():
        target = folder / "trained" / "seed-1" / name
        assert parameter_hash(load_model(target)) == parameter_hash(child)
        assert f"valley-{name} 0.1: A valley: {name}" in card(target) and "training_loss" in card(target)
    assert float(load_model(target).scaling.moments("shortwave_down")[1]) != 1.0
    settings = yaml.safe_load((target / "model.yaml").read_text())["component"]["settings"]
    assert settings == {"hidden": 4, "attributes": {}, "forcing": FORCING}
    (again,) = trained_models(load_train_file(folder / "train.yaml"))
    assert parameter_hash(again) == parameter_hash(member.model)


def test_a_run_file_uses_each_by_its_name(trained, shelf):
    folder, member = trained
    names = {name: add_model(folder / "trained" / "seed-1" / name) for name in ("snow", "river")}
    graph = {**GRAPH, "components": {name: {"use": names[name]} for name in names}}
    period = {"start": "2001-01-01", "end": "2001-02-01"}
    run = {"graph": graph, "forcing": KEYS["forcing"], "period": period, "output": {"path": "out.nc"}}
    built = build_graph(load_run(write(folder, "run.yaml", run)))
    assert parameter_hash(built) == parameter_hash(member.model)


def test_training_goes_on_from_model_folders_with_their_own_scaling(trained, shelf):
    folder, member = trained
    names = {name: add_model(folder / "trained" / "seed-1" / name) for name in ("snow", "river")}
    graph = {**GRAPH, "components": {name: {"use": names[name]} for name in names}}
    period = {"start": "2001-05-01", "end": "2001-08-01"}
    keys = {**KEYS, "graph": graph, "training": period, "folder": "tuned", "frozen": ["snow"]}
    (tuned,) = run_training(load_train_file(write(folder, "tune.yaml", keys)), progress=False)
    scaling = [one.components["river"].scaling.std for one in (member.model, tuned.model)]
    assert torch.equal(*scaling)
    about = yaml.safe_load((folder / "tuned" / "seed-1" / "river" / "model.yaml").read_text())["component"]
    assert (about["name"], about["settings"]["hidden"]) == ("streamflow-lstm", 4)


def test_a_component_that_no_folder_describes_keeps_its_weights_and_says_why(trained, monkeypatch):
    folder, _ = trained
    model = {**KEYS["model"], "licence": "ask me!"}
    with pytest.warns(
        UserWarning, match=r"seed-1.(snow|river) holds weights and no model.yaml: .*licence: expected an SPDX"
    ):
        run_training(
            load_train_file(write(folder, "odd.yaml", {**KEYS, "folder": "odd", "model": model})), progress=False
        )
    assert [path.name for path in (folder / "odd" / "seed-1" / "river").iterdir()] == ["weights.safetensors"]


@pytest.fixture
def alone(trained, monkeypatch, tmp_path):
    """Folder with data of its own names, and the snow model that was trained."""
    folder, _ = trained
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    with xr.open_dataset(folder / "weather.nc") as data:
        held = data.load()
    held = held.rename(precipitation_flux="rain").assign(swe=held["runoff_flux"].assign_attrs(units="kg m-2"))
    held.to_netcdf("weather.nc")
    write(tmp_path, "data.yaml", {"forcing": {"path": "weather.nc"}, "inputs": {"precipitation_flux": "rain"}})
    return folder / "trained" / "seed-1" / "snow"


DATES = ("--from", "2001-09-01", "--to", "2001-12-01")


def test_a_model_folder_is_scored_on_a_data_source(alone, capsys):
    told = evaluated(capsys, alone, "--data", "data.yaml", "--observed", "swe", "--output", "surface_snow_amount",
                     *DATES, "--spin-up", "30D", "--metric", "rmse", "--training", "2001-02-01/2001-08-01",
                     )  # fmt: skip
    assert "rmse [kg m-2] model" in told and "persistence" in told and "climatology" in told
    with xr.open_dataset("weather.nc") as held:
        held.rename(rain="precipitation_flux").to_netcdf("same.nc")
    same = evaluated(capsys, alone, "--forcing", "same.nc", "--observed", "same.nc:swe", "--output",
                     "surface_snow_amount", *DATES, "--spin-up", "30D", "--metric", "rmse")  # fmt: skip
    assert told.split("rmse [kg m-2] model")[1].split()[:2] == same.split("rmse [kg m-2] model")[1].split()[:2]


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        (None, (), "data.yaml: cannot be read: No such file"),
        (
            {"forcing": {"path": "weather.nc"}, "input": {}},
            (),
            "input: unknown key; allowed: forcing, observations, inp",
        ),
        ({"observations": {}}, (), "forcing: expected a mapping, as in run files, got None"),
        ([1], (), "expected the keys forcing, observations, inputs"),
        ({"forcing": {"path": "weather.nc"}}, (), "inputs: input precipitation_flux"),
        ({"forcing": {"sauce": 1}}, (), "forcing.sauce: unknown key"),
        ("as it is", ("--observed", "depth"), "observations: output surface_snow_amount: no variable 'depth'"),
        ("as it is", ("--output", "depth"), "no output 'depth'; give --output, one of surface_snow_amount"),
        ("as it is", ("--forcing", "weather.nc"), "--data data.yaml names the forcing, too; leave out --forcing"),
        ("as it is", ("--from", ""), "a model needs a period: give --from DATE and --to DATE"),
    ],
)
def test_mistakes_of_an_evaluation_are_told(alone, capsys, tmp_path, data, words, message):
    if data is None:
        (tmp_path / "data.yaml").unlink()
    elif not isinstance(data, str):
        write(tmp_path, "data.yaml", data)
    wanted = ("--observed", "swe", "--output", "surface_snow_amount")
    told = evaluated(capsys, alone, "--data", "data.yaml", *wanted, *DATES, *words)
    assert message in told


def test_a_model_folder_without_data_is_told(alone, capsys):
    told = evaluated(capsys, alone, "--observed", "weather.nc:swe", *DATES)
    assert "a model folder needs --forcing FILE, or --data FILE" in told


def test_a_folder_that_does_not_load_is_told_by_line_and_key(alone, capsys, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.yaml").write_text("crest_model: 2\n")
    assert "broken/model.yaml:1: crest_model: expected 1" in evaluated(capsys, "broken", "--data", "data.yaml", *DATES)
