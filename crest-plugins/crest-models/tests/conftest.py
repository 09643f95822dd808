"""Fixtures: a trained-looking LSTM in a model folder, a model directory of its own, and the command `crest`."""

import hashlib
from importlib.metadata import entry_points

import pytest
import torch
from crest_models import save_model

from crest_core import FieldSpec, Standardize
from crest_core.plugins import registry

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")
WARMTH = FieldSpec(name="warmth", units="degC", standard_name="air_temperature")
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux")
ABOUT = {
    "name": "river",
    "version": "1.0",
    "summary": "Runoff from rain and warmth",
    "licence": "CC-BY-4.0",
    "citation": "A report of 2026, doi:10.0000/none",
    "training": {
        "data": "synthetic weather",
        "period": ["2001-01-01", "2003-01-01"],
        "seed": 7,
        "skill": {"NSE of 2003": 0.5},
    },
}


@pytest.fixture
def lstm():
    """A small LSTM of the backend torch-lstm."""
    scale = Standardize(
        mean={"rain": 2.5, "warmth": 8.0, "runoff": 1.0}, std={"rain": 5.0, "warmth": 7.0, "runoff": 2.0}
    )
    return registry().load("backends", "torch-lstm")(
        inputs=(RAIN, WARMTH),
        outputs=(RUNOFF,),
        scale=scale,
        hidden=6,
        generator=torch.Generator().manual_seed(1),
    )


@pytest.fixture
def folder(lstm, tmp_path):
    """Its model folder."""
    return save_model(lstm, tmp_path / "river", **ABOUT)


@pytest.fixture
def edit(folder):
    """Replace text in model.yaml, which must be there."""

    def edit(old, new):
        path = folder / "model.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return folder

    return edit


@pytest.fixture
def put_weights(folder, edit):
    """Put other bytes in the place of the weights, with their true hash: an author who means harm can do that."""

    def put_weights(content):
        path = folder / "weights.safetensors"
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        path.write_bytes(content)
        return edit(before, hashlib.sha256(content).hexdigest())

    return put_weights


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty model directory."""
    monkeypatch.setenv("CREST_MODELS", str(tmp_path / "shelf"))
    registry.cache_clear()
    yield tmp_path / "shelf"
    registry.cache_clear()


@pytest.fixture
def crest(shelf, capsys):
    """Run `crest` in this process and return exit status, output and errors."""
    (script,) = entry_points(group="console_scripts", name="crest")

    def crest(*words):
        with pytest.raises(SystemExit) as end:
            script.load()(list(map(str, words)))
        return end.value.code or 0, *capsys.readouterr()

    return crest
