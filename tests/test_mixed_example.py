"""Five technologies in one graph: gradients, restart and export of examples/mixed, seen from outside."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import stages
import torch
import xarray as xr

from crest_core import SafetensorsStore, prepare, simulate
from crest_core.testing import taylor_orders

HERE = Path(__file__).resolve().parent.parent / "examples" / "mixed"
START, END = "2014-12-01", "2015-02-21"
WINDOW_ENDS = ("2014-12-13", "2014-12-23", "2015-02-01")  # of windows of 10 days since 2000
COMPONENTS = ("snow", "slope", "soil", "surface", "vegetation")


@pytest.fixture(scope="module")
def example():
    """Return the module mixed.py with its neighbours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        import mixed

        yield mixed
    for name in ("mixed", "chain", "slope"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def data(example):
    return example.schwingbach()


@pytest.fixture(scope="module")
def first(example, tmp_path_factory):
    return example.build_graph(tmp_path_factory.mktemp("network"), torch.Generator().manual_seed(1))


@pytest.fixture
def graph(first):
    """Return an untrained graph that a test may train."""
    return deepcopy(first)


@pytest.fixture(scope="module")
def run(first, data):
    """Return 82 days with snow, in float64."""
    return prepare(deepcopy(first).double(), data, start=START, end=END)


def test_snow_runs_as_a_sequence_and_the_others_in_a_loop(first):
    assert [(block.loop, set(block.members)) for block in first.blocks] == [
        (False, {"snow"}),
        (True, {"slope", "soil", "surface", "vegetation"}),
    ]


def test_the_report_says_exact_before_the_loop_and_estimated_behind_it(first):
    report = first.gradient_report()
    assert report.policies == {
        "snow": "autograd",
        "slope": "finite_difference",
        "soil": "pullback",
        "surface": "autograd",
        "vegetation": "autograd",
    }
    assert report.status("snow parameters", "swe") == "exact"
    assert {report.status(f"{name} parameters", "soil_moisture") for name in COMPONENTS} == {"estimated"}


def test_no_water_is_lost_between_the_models(run):
    with torch.no_grad():
        outputs, after = run.graph(run.state, run.inputs(), run.clock.times)
    thickness = [1000.0 * (bottom - top) for top, bottom in run.graph.layers["soil_layer"]]

    def stored(state):
        soil = (state["soil.soil_moisture"] * torch.tensor(thickness, dtype=torch.float64).unsqueeze(-1)).sum(0)
        pools = [state[name] for name in ("soil.groundwater", "slope.ponded_water", "slope.channel_water")]
        on_its_way = [value for name, value in state.items() if "lag" in name and "runoff" in name]
        assert len(on_its_way) == 2
        return soil + sum(pools) + sum(on_its_way)

    went_in = outputs["soil_water_input"].sum(0)
    went_out = (outputs["soil_evapotranspiration"] + outputs["streamflow"]).sum(0)
    assert float(went_in) > 100.0
    assert float(stored(after) - stored(run.state)) == pytest.approx(float(went_in - went_out), abs=1e-9)


def test_the_loss_depends_on_every_parameter(example, run, data):
    found = example.gradients(run, example.observed(data, END))
    assert set(found) == set(COMPONENTS)
    for name, tensors in found.items():
        assert tensors and all(bool(one.isfinite().all()) and float(one.abs().max()) > 0.0 for one in tensors), name


def test_gradients_of_every_component_are_differences_of_whole_runs(example, run, data):
    measured = example.observed(data, END)
    generator = torch.Generator().manual_seed(4)
    for name, tensors in example.gradients(run, measured).items():
        direction = [torch.randn(one.shape, generator=generator, dtype=one.dtype) for one in tensors]
        expected = sum(float((one * way).sum()) for one, way in zip(tensors, direction, strict=True))
        found = example.slope_along(run, measured, name, direction, step=1e-5)
        assert found == pytest.approx(expected, rel=1e-4), name


@pytest.mark.parametrize("seed", [2, 4])
def test_the_remainder_over_the_whole_graph_shrinks_with_the_square(example, run, data, seed):
    """In a direction that moves all parameters; with longer steps some cross the kinks of the snow."""
    measured, generator = example.observed(data, END), torch.Generator().manual_seed(seed)
    values = {name: value.detach().clone() for name, value in run.graph.named_parameters()}
    ways = {name: torch.randn(one.shape, generator=generator, dtype=one.dtype) for name, one in values.items()}
    length = sum(float(one.square().sum()) for one in ways.values()) ** 0.5

    def loss(distance):
        there = {name: value + distance * ways[name] / length for name, value in values.items()}
        found = torch.func.functional_call(run.graph, there, (run.state, run.inputs(), run.clock.times))[0]
        return example.misfit(found["soil_moisture"], measured)

    start, along = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    orders = taylor_orders(loss, start, along, [1e-3, 5e-4, 2.5e-4])
    assert all(1.9 < order < 2.1 for order in orders), orders


def test_the_slope_keeps_its_water_with_both_shares_at_their_bounds(example):
    slope, came, left = sys.modules["slope"].Slope(), 0.0, 0.0
    slope.initialize("")
    for name in ("infiltration_share", "overflow_share"):
        slope.set_value(name, np.array([0.97]))
    for rain in (10.0, 0.0, 3.0, 0.0):
        slope.set_value("water_input", np.array([rain]))
        slope.update()
        came, left = came + rain, left + float(slope.v["infiltration"][0] + slope.v["streamflow"][0])
        stored = [float(slope.v[name][0]) for name in slope.state_names]
        assert min(stored) >= 0.0
        assert left + sum(stored) == pytest.approx(came, rel=1e-12)


def test_vegetation_never_asks_for_more_than_the_surface_gives(example):
    network = sys.modules["chain"].Vegetation(torch.Generator().manual_seed(1))
    demand = torch.tensor([[[3.0]], [[0.0]], [[-0.2]]])
    with torch.no_grad():
        network.head.bias.fill_(20.0)  # as much as it can
        uptake, _ = network(
            torch.zeros(3, 1, network.gru.input_size), demand, torch.zeros(1, 1, network.gru.hidden_size)
        )
    assert bool((uptake.abs() <= demand.abs()).all()) and uptake[0].item() == pytest.approx(3.0, rel=1e-5)


def test_one_joint_step_changes_every_component_and_lowers_the_loss(example, graph, data):
    start = {name: value.detach().clone() for name, value in graph.named_parameters()}
    before, after = example.joint_step(graph, prepare(graph, data, start=START, end=END), example.observed(data, END))
    assert after < before
    unchanged = [name for name, value in graph.named_parameters() if torch.equal(value, start[name])]
    assert not unchanged


def test_two_runs_from_one_seed_are_identical(example, data, tmp_path):
    results = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        graph = example.build_graph(tmp_path / name, torch.Generator().manual_seed(7))
        record = example.train(graph, data, "2015-01-10", 2)
        results.append((record.training, simulate(graph, data, start=START, end="2015-01-10")))
    (losses, ours), (other, theirs) = results
    assert losses == other and losses[1] < losses[0]
    assert ours.equals(theirs)


@pytest.mark.parametrize("trained", [False, True], ids=["untrained", "trained"])
def test_a_restart_is_bit_for_bit_the_run_that_did_not_stop(example, graph, data, tmp_path, trained):
    if trained:  # the ONNX network then runs in torch
        example.joint_step(
            graph, prepare(graph, data, start=START, end="2015-01-10"), example.observed(data, "2015-01-10")
        )
    whole = simulate(graph, data, start=START, end=END, window="10D")
    for stop in WINDOW_ENDS:
        rest = example.resumed(deepcopy(graph), data, stop, END, tmp_path)
        assert rest["time"].values[0] == np.datetime64(stop)
        for field in graph.outputs:
            assert rest[field.name].equals(whole[field.name].sel(time=rest["time"])), (stop, field.name)


@pytest.mark.slow
def test_another_process_goes_on_from_the_restart_bit_for_bit(example, first, data, tmp_path):
    whole = simulate(first, data, start=START, end="2015-01-12", window="10D")
    simulate(
        first, data, start=START, end="2015-01-02", window="10D", store=SafetensorsStore(tmp_path / "r.safetensors")
    )
    program = (
        "import torch; from pathlib import Path; from crest_core import SafetensorsStore, simulate\n"
        "from chain import build_graph, schwingbach\n"
        "torch.set_num_threads(1); graph = build_graph(Path('.'), torch.Generator().manual_seed(1))\n"
        "store = SafetensorsStore('r.safetensors')\n"
        "rest = simulate(graph, schwingbach(), end='2015-01-12', window='10D', resume=store)\n"
        "rest.to_netcdf('rest.nc')\n"
    )
    call([sys.executable, "-c", program], tmp_path)
    with xr.open_dataset(tmp_path / "rest.nc") as rest:
        assert rest.sizes["time"] == 10
        for field in first.outputs:
            assert np.array_equal(rest[field.name].values, whole[field.name].values[-10:]), field.name


def test_the_graph_gives_the_same_as_a_bmi_model(example, first, data):
    model = example.as_bmi(first, forcing=data, start=START)()
    model.initialize()
    same = simulate(first, data, start=START, end="2014-12-11")
    for day in range(10):
        model.update()
        for name in ("soil_moisture", "streamflow", "uptake"):
            expected = same[name].values[day].ravel()
            assert np.allclose(model.get_value_ptr(name), expected, rtol=1e-6, atol=0.0), (day, name)
    model.finalize()


@pytest.mark.slow
def test_bmi_tester_of_csdms_passes_the_graph(tmp_path):
    (tmp_path / "exported.py").write_text(
        "import torch\nfrom pathlib import Path\n"
        "from chain import build_graph, schwingbach\nfrom crest_bmi import as_bmi\n"
        "graph = build_graph(Path(__file__).parent, torch.Generator().manual_seed(1))\n"
        f"Mixed = as_bmi(graph, forcing=schwingbach(), start='{START}')\n"
    )
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "model.yaml").write_text("{}")
    command = [sys.executable, "-m", "bmi_tester", "exported:Mixed", "--root-dir", str(staged)]
    # Where the model lies elsewhere than bmi-tester, pytest would not look for the conftest.py of its tests.
    home = Path(importlib.util.find_spec("bmi_tester").origin).parent
    options = {"PYTEST_ADDOPTS": f"--confcutdir={home} -p no:cacheprovider"}
    text = call([*command, "--config-file", str(staged / "model.yaml")], tmp_path, **options)
    passed = [int(count) for count in re.findall(r"(\d+) passed", text)]
    assert len(passed) == 4 and sum(passed) > 35, text  # four stages; its own gaps are skipped
    assert "failed" not in text


def test_the_script_runs_and_shows_everything(example, monkeypatch, capsys, tmp_path):
    given = ["mixed.py", "--epochs", "2", "--end", "2015-01-20", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", given)
    example.main()
    text = capsys.readouterr().out
    assert re.findall(r"bit for bit: (\w+)", text) == ["True"]
    ((before, after),) = re.findall(r"joint step of Adam: loss ([\d.]+) -> ([\d.]+)", text)
    assert float(after) < float(before)
    assert re.findall(r"^(\w+) .*  estimated  +\d", text, flags=re.MULTILINE) == list(COMPONENTS)
    assert len(re.findall(r"^  t = \d+ s: ", text, flags=re.MULTILINE)) == 5
    assert (tmp_path / "plan.png").stat().st_size > 10_000
    assert (tmp_path / "learning.png").stat().st_size > 5_000


def call(command, folder, **variables):
    """Return what a command prints, which must end well; it can import the example and what lies in the folder."""
    environment = stages.test_variables() | {"PYTHONPATH": os.pathsep.join([str(folder), str(HERE)])} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
