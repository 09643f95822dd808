"""The proof from outside: bmi-tester of CSDMS, in a process of its own, passes what this package makes.

It runs pytest several times on one class, and keeps it in module variables; so each class needs a process.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = """
import torch
from crest_bmi import HBV, as_bmi
from crest_core import FieldSpec, Graph, PointGrid, RectilinearGrid, StepComponent
from crest_core.testing import TorchBucket


class Layers(StepComponent):
    inputs = (FieldSpec(name="storage", units="mm"),)
    outputs = (FieldSpec(name="wetness", units="1", dims=("soil_layer", "cell")),)
    dim_sizes = {"soil_layer": 2}
    layers = {"soil_layer": ((0.0, 0.2), (0.2, 1.0))}

    def step(self, state, inputs, time):
        return {"wetness": torch.stack([inputs["storage"], 2 * inputs["storage"]])}, {}


class Map(StepComponent):
    grid = "map"
    inputs = (
        FieldSpec(name="air", units="degC", dims=("y", "x")),
        FieldSpec(name="height", units="m", dims=("y", "x"), static=True),
    )
    outputs = (FieldSpec(name="skin", units="degC", dims=("y", "x")),)

    def step(self, state, inputs, time):
        return {"skin": inputs["air"] - 0.0065 * inputs["height"]}, {}


parts = {"bucket": TorchBucket(), "layers": Layers(), "map": Map()}
graph = Graph(parts, grids={"map": RectilinearGrid([50.0, 51.0, 52.0], [7.0, 8.0, 10.0, 11.0])})
forcing = {"precipitation": 3.0, "evapotranspiration": 1.0, "storage": 5.0, "air": 9.0, "height": 400.0}
Coupled = as_bmi(graph, grid=PointGrid([50.0, 51.0, 52.0], [8.0, 9.0, 10.0]), forcing=forcing)
Lumped = as_bmi(Graph({"bucket": TorchBucket()}), forcing={"precipitation": 3.0, "evapotranspiration": 1.0})
"""


def run_tester(name, config, folder):
    """Return exit status and text of bmi-tester."""
    (folder / "models_under_test.py").write_text(MODELS)
    staged = folder / "staged"
    staged.mkdir()
    (staged / "model.yaml").write_text(config)
    command = [sys.executable, "-m", "bmi_tester", f"models_under_test:{name}", "--root-dir", str(staged)]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    # Where the models lie elsewhere than bmi-tester, pytest would not look for the conftest.py of its tests.
    home = Path(importlib.util.find_spec("bmi_tester").origin).parent
    environment["PYTEST_ADDOPTS"] = f"--confcutdir={home} -p no:cacheprovider"
    done = subprocess.run(
        [*command, "--config-file", str(staged / "model.yaml")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow  # the fast part has that of a graph in examples/mixed
@pytest.mark.parametrize(
    ("name", "config"), [("Coupled", "dtype: float64"), ("Lumped", "cells: 1"), ("HBV", "cells: 3")]
)
def test_bmi_tester_of_csdms_passes(name, config, tmp_path):
    status, text = run_tester(name, config, tmp_path)
    assert status == 0, text
    passed = [int(count) for count in re.findall(r"(\d+) passed", text)]
    assert len(passed) == 4 and sum(passed) > 35, text  # four stages; its own gaps are skipped
    assert "failed" not in text
