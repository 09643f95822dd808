"""What the benchmarks conclude from times is right, and what they print can be read by programs."""

import importlib
import json
import subprocess
import sys
import time

import numpy as np
import packages
import pytest
import stages

from crest_core import flushed_denormals

FOLDER = packages.ROOT / "benchmarks"
EVERY_KEY = {
    "name",
    "value",
    "unit",
    "ratio",
    "interval",
    "baseline",
    "gate",
    "verdict",
    "machine",
    "threads",
    "date",
    "commit",
}


@pytest.fixture
def benchmarks(monkeypatch):
    """The modules of the folder, by name; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    with flushed_denormals():  # which `options` sets for good: put back afterwards
        yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.fixture
def timing(benchmarks):
    return benchmarks("_timing")


@pytest.fixture
def report(benchmarks, monkeypatch):
    """A report of a run with two threads, which does not change the threads of the tests."""
    module = benchmarks("_report")
    monkeypatch.setattr(module.torch, "set_num_threads", lambda threads: None)
    chosen = module.options("What it is.", ["--pairs", "30", "--threads", "2"])
    return module.Report(chosen, ("numpy", "no-such-distribution"))


def test_every_script_is_in_the_readme_and_every_record_of_skill_on_its_page():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    scripts = [file.name for file in FOLDER.glob("*.py") if not file.name.startswith("_")]
    assert not [name for name in scripts if readme.count(f"| {name} |") != 1]
    page = (packages.ROOT / "docs" / "models" / "how-good.md").read_text(encoding="utf-8")
    names = [json.loads(file.read_text(encoding="utf-8"))["name"] for file in FOLDER.glob("results/skill/*.json")]
    assert names and not [name for name in names if f"| `{name.removeprefix('skill.')}` |" not in page]


def test_equal_times_have_an_interval_without_width(timing):
    estimate = timing.median_estimate(np.full(30, 1.02), np.random.default_rng(1))
    assert (estimate.value, estimate.low, estimate.high) == (1.02, 1.02, 1.02)


def test_the_interval_of_a_median_is_as_wide_as_theory_says(timing):
    """Normal samples: the median of n has the standard deviation sqrt(pi / 2 / n)."""
    samples = np.random.default_rng(2).normal(size=2001)
    estimate = timing.median_estimate(samples, np.random.default_rng(3))
    assert estimate.half_width == pytest.approx(1.96 * np.sqrt(np.pi / 2 / 2001), rel=0.2)


def test_the_interval_holds_the_true_median_in_95_of_100_cases(timing):
    random = np.random.default_rng(4)
    estimates = [timing.median_estimate(random.exponential(size=40), random) for _ in range(200)]
    share = np.mean([e.low <= np.log(2) <= e.high for e in estimates])
    assert 0.90 <= share <= 0.99  # 95 percent, with three standard deviations of 200 draws


def test_one_generator_state_gives_one_interval(timing):
    samples = np.random.default_rng(5).normal(size=30)
    assert timing.median_estimate(samples, np.random.default_rng(6)) == timing.median_estimate(
        samples, np.random.default_rng(6)
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.99, 1.04, "met"),
        (1.00, 1.05, "met"),
        (1.02, 1.07, "missed"),  # its worse end does not meet it
        (1.06, 1.30, "missed"),
        (0.90, 1.00, "undecided"),  # wider than +-0.03
        (0.90, 1.30, "undecided"),
    ],
)
def test_a_gate_is_met_by_the_worse_end_of_a_narrow_interval(timing, low, high, verdict):
    estimate = timing.Estimate((low + high) / 2, low, high)
    assert timing.Gate("ratio", at_most=1.05).verdict(estimate) == verdict


def test_a_gate_from_below_looks_at_the_low_end(timing):
    gate = timing.Gate("ratio", at_least=0.95)
    assert gate.verdict(timing.Estimate(0.97, 0.955, 0.99)) == "met"
    assert gate.verdict(timing.Estimate(0.96, 0.94, 0.98)) == "missed"
    assert gate.describe() == "ratio >= 0.95"


def test_every_round_times_every_run_and_the_order_changes(timing):
    order = []
    runs = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = timing.interleave(runs, 6, shortest=0.0)
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys("abc", 6)
    assert order[:12] == list("aaaabbbbcccc")  # not timed: once to warm up, thrice to see how long it takes
    rounds = {"".join(order[i : i + 3]) for i in range(12, len(order), 3)}
    assert rounds == {"abc", "bca", "cab", "cba", "acb", "bac"}


def test_what_is_short_is_repeated_within_its_turn(timing):
    calls = []
    seconds = timing.interleave({"short": lambda: calls.append(None)}, 2, shortest=0.02)
    assert len(calls) > 4 + 2 * 10, "two rounds of many calls each, after four that are not counted"
    assert seconds["short"].shape == (2,) and np.all(seconds["short"] < 0.02)


def test_a_run_of_twice_the_time_has_the_ratio_two(timing):
    runs = {"long": lambda: time.sleep(0.008), "short": lambda: time.sleep(0.004)}
    seconds = timing.interleave(runs, 15)
    ratio = timing.median_estimate(seconds["long"] / seconds["short"], np.random.default_rng(7))
    assert ratio.value == pytest.approx(2.0, abs=0.3)


def test_a_line_is_json_with_ratio_excess_and_verdict(benchmarks, report, capsys):
    ours, theirs = np.full(30, 2.1e-3), np.full(30, 2.0e-3)
    gate = benchmarks("_timing").Gate("ratio", at_most=1.1)
    report.compare("coupling.loop.1", ours, theirs, unit="us", scale=1e6, baseline="torch", gate=gate, cells=1)
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert stages.benchmark_line_problem(out) == "" and set(record) >= EVERY_KEY
    assert (record["value"], record["ratio"], record["interval"]) == (2100.0, 1.05, [1.05, 1.05])
    assert (record["excess"], record["baseline_value"], record["pairs"]) == (100.0, 2000.0, 30)
    assert (record["gate"], record["verdict"], record["cells"]) == ("ratio <= 1.1", "met", 1)
    assert record["threads"] == 2 and record["versions"]["no-such-distribution"] == "not installed"
    assert "coupling.loop.1" in err and "ratio <= 1.1: met" in err


def test_a_ratio_of_speeds_is_above_one_where_crest_is_faster(report, capsys):
    report.compare("s", np.full(30, 1.0), np.full(30, 2.0), unit="s", scale=1.0, baseline="torch", speed=True)
    record = json.loads(capsys.readouterr().out)
    assert record["ratio"] == 2.0 and record["ratio_of"].startswith("speed")
    assert (record["gate"], record["verdict"]) == ("", "")


def test_what_was_not_reached_is_null(report, capsys):
    report.line("calibration", None, "s", ratio=None, baseline="SCE-UA")
    out, err = capsys.readouterr()
    assert json.loads(out)["value"] is None and json.loads(out)["ratio"] is None
    assert "nothing" in err


def test_a_quick_run_decides_nothing(benchmarks, capsys):
    module, gate = benchmarks("_report"), benchmarks("_timing").Gate("ratio", at_most=2.0)
    report = module.Report(module.options("What it is.", ["--quick"]), ())
    report.compare("c", np.full(4, 1.0), np.full(4, 1.0), unit="s", scale=1.0, baseline="torch", gate=gate)
    record = json.loads(capsys.readouterr().out)
    assert record["quick"] and record["verdict"] == "undecided" and record["pairs"] == 4


def test_the_help_teaches_how_to_read_a_line(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks("_report").options("What it is.", ["--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("What it is.", "ratio", "interval", "gate", "verdict", "--quick", "results"))


@pytest.mark.parametrize(
    ("only", "wanted"), [("", True), ("loop", True), ("loop.1", True), ("coupling.loop.1", True), ("loop.10", False)]
)
def test_only_names_whole_parts(benchmarks, only, wanted):
    assert benchmarks("_report").Options(30, 1, quick=False, only=only).wants("coupling.loop.1") is wanted


def test_pairs_and_threads_are_at_least_one(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks("_report").options("What it is.", ["--pairs", "0"])
    assert "--pairs and --threads are 1 or more" in capsys.readouterr().err


def test_both_ways_to_calibrate_run_the_same_model(benchmarks):
    """The bare loop of SCE-UA, and the component of the gradients, which keeps its raw parameters in float32."""
    torch = importlib.import_module("torch")
    problem = benchmarks("_calibration").Problem(seed=3)
    component = problem.component(seed=1)
    physical = component.physical.values()
    values = torch.cat([physical[spec.name].flatten() for spec in problem.specs]).detach().double().numpy()
    with torch.no_grad():
        loss = float(problem.loss(component)())
    assert 1 - loss == pytest.approx(
        problem.score(problem.run(values)), abs=1e-5
    )  # the component keeps its raw parameters in float32
    assert problem.score(problem.run(values)) < problem.best


@pytest.mark.slow
def test_a_script_in_quick_mode_prints_nothing_but_valid_lines():
    command = [sys.executable, str(FOLDER / "coupling.py"), "--quick", "--only", "chain"]
    result = subprocess.run(command, env=stages.test_variables(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [stages.benchmark_line_problem(line) for line in lines] == [""] * 6
    assert {json.loads(line)["baseline"] for line in lines} == {"hand-written torch", "dcoupler 0.2.0"}
