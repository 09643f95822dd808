"""Training files: heads learn a known distribution in its units, and lagged discharge may have gaps."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from crest_training import load_train_file, run_training
from crest_training.losses import gaussian_mixture
from crest_training.train_file import TrainFileError
from torch.distributions import Categorical, MixtureSameFamily, Normal

from crest_core import Sizes
from crest_core.cli import main

WEIGHTS, LOCATIONS, SCALES = (0.3, 0.7), (400.0, 480.0), (8.0, 20.0)  # kg m-2 day-1
DAYS = 900


def draws():
    """Discharge (time, cell) that is drawn from one mixture of two normals every day, whatever the weather."""
    generator = np.random.default_rng(5)
    part = (generator.random((DAYS, 2)) < WEIGHTS[1]).astype(int)
    return generator.normal(np.array(LOCATIONS)[part], np.array(SCALES)[part])


def data(**more):
    times = xr.date_range("2001-01-01", periods=DAYS, freq="1D")
    places = {"time": times, "cell_id": ("cell", ["a", "b"]), "lat": ("cell", [1.0, 2.0]), "lon": ("cell", [1.0, 2.0])}
    fields = {"precipitation_flux": np.random.default_rng(1).exponential(3.0, (DAYS, 2)), "runoff_flux": draws()} | more
    return xr.Dataset(
        {name: (("time", "cell"), values, {"units": "kg m-2 day-1"}) for name, values in fields.items()}, places
    )


def load(folder, settings, objective, changes=None, held=None):
    (data() if held is None else held).to_netcdf(folder / "data.nc", engine="h5netcdf")
    network = {"hidden": 2, "dropout": 0.0, "forcing": ["precipitation_flux"], "attributes": {}} | settings
    keys = {
        "graph": {"components": {"streamflow": {"use": "streamflow-lstm", "with": network}}},
        "forcing": {"path": "data.nc"},
        "samples": {"steps": 60, "every": 15, "batch": 12},
        "training": {"start": "2001-01-01", "end": "2003-06-01"},
        "objectives": [objective],
        "epochs": 2,
        "seeds": [1],
        "folder": "trained",
        "model": {"name": "m", "summary": "s", "licence": "MIT", "citation": "none", "data": "made up"},
    }
    (folder / "train.yaml").write_text(json.dumps(keys), encoding="utf-8")
    return load_train_file(folder / "train.yaml", changes)


def outputs(model):
    """What a trained model says on 60 days of weather."""
    rain = torch.from_numpy(data()["precipitation_flux"].values[:60]).float()
    with torch.no_grad():
        return model.eval()(model.initial_state(Sizes({"cell": 2})), {"precipitation_flux": rain}, range(60))[0]


def test_a_mixture_head_finds_the_distribution_that_made_the_data_in_its_units(tmp_path):
    """Locations to a tenth of the spread of all; the likelihood is that of torch.distributions, near the best one."""
    changes = {"epochs": 25, "optimiser.network_rate": 0.01}
    file = load(
        tmp_path,
        {"head": "gaussian-mixture", "mixture": 2},
        {"output": "runoff", "variable": "runoff_flux", "loss": "gaussian-mixture"},
        changes,
    )
    (trained,) = run_training(file, progress=False)
    found = outputs(trained.model)
    parts = [found[f"runoff_{part}"] for part in ("location", "scale", "weight")]
    order = parts[0].mean((0, 2)).argsort()
    location, scale, weight = (part.mean((0, 2))[order].tolist() for part in parts)
    spread = float(draws().std())
    assert location == pytest.approx(LOCATIONS, abs=0.1 * spread)
    assert scale == pytest.approx(SCALES, rel=0.25) and weight == pytest.approx(WEIGHTS, abs=0.06)
    assert float(found["runoff_flux"].mean()) == pytest.approx(float(draws().mean()), abs=0.1 * spread)
    observed = torch.from_numpy(draws()[:60]).float()
    m, s, w = (part.movedim(1, -1) for part in parts)
    expected = -MixtureSameFamily(Categorical(w), Normal(m, s)).log_prob(observed).mean()
    ours = gaussian_mixture(*(part.unsqueeze(1) for part in parts), observed.unsqueeze(1))
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)
    truth = MixtureSameFamily(Categorical(torch.tensor(WEIGHTS)), Normal(torch.tensor(LOCATIONS), torch.tensor(SCALES)))
    best = -truth.log_prob(torch.from_numpy(draws()).float()).mean()
    assert trained.record.training[-1] == pytest.approx(float(best), abs=0.05)


def test_crest_evaluate_tells_what_two_mixtures_are_worth_over_gaps(tmp_path, capsys):
    held = data()
    held["runoff_flux"][750::3, 0] = np.nan
    objective = {"output": "runoff", "variable": "runoff_flux", "loss": "gaussian-mixture"}
    load(tmp_path, {"head": "gaussian-mixture", "mixture": 2}, objective, held=held)
    keys = json.loads((tmp_path / "train.yaml").read_text(encoding="utf-8"))
    keys |= {"training": {"start": "2001-01-01", "end": "2003-01-01"}, "seeds": [1, 2], "epochs": 8}
    keys["optimiser"] = {"network_rate": 0.02}
    (tmp_path / "train.yaml").write_text(json.dumps(keys), encoding="utf-8")
    run_training(load_train_file(tmp_path / "train.yaml"), progress=False)
    words = ["--from", "2003-01-15", "--to", "2003-06-01", "--output", "runoff_flux", "--metric", "nse"]
    words += ["--report", str(tmp_path / "report")]
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", str(tmp_path / "train.yaml"), *words])
    printed = capsys.readouterr()
    told = printed.out
    assert not stopped.value.code, printed.err
    assert "ensemble of 2 members, medians over places: crps" in told
    assert "distribution of 4 parts, medians over places: crps" in told and "pit_reliability 0.9" in told
    assert (tmp_path / "report" / "pit.png").is_file()


def test_the_scaling_of_a_head_is_of_the_training_part_alone(tmp_path):
    held = data()
    held["runoff_flux"][700:] = 1e6
    file = load(
        tmp_path,
        {"head": "cmal"},
        {"output": "runoff", "variable": "runoff_flux", "loss": "cmal"},
        {"training.end": "2002-11-01", "epochs": 1},
        held,
    )
    (trained,) = run_training(file, progress=False)
    mean, std = trained.model.components["streamflow"].scaling.moments("runoff_flux")
    known = draws()[:669]
    assert float(mean) == pytest.approx(known.mean(), rel=1e-5) and float(std) == pytest.approx(known.std(), rel=1e-5)


def test_a_likelihood_has_no_other_space(tmp_path):
    with pytest.raises(TrainFileError, match="objectives.0: a likelihood is of the observations themselves; leave out"):
        load(tmp_path, {"head": "cmal"}, {"output": "runoff", "loss": "cmal", "space": "log"})


def test_windows_with_gaps_in_lagged_discharge_are_trained_on(tmp_path):
    """Every 20th value is missing, so that no window of 60 days is whole."""
    lagged = np.roll(draws(), 1, axis=0)
    lagged[::20] = np.nan
    objective = {"output": "runoff_flux", "loss": "nse"}
    settings = {"lagged": True, "hold_out": 0.2}
    file = load(tmp_path, settings, objective, {}, data(runoff_flux_lagged=lagged))
    (trained,) = run_training(file, progress=False)
    assert np.isfinite(trained.record.training).all() and len(trained.record.batches) == 2 * 10
