"""The conformance suite: good components pass, reports tell, expected failures are argued for."""

import json
import unittest
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from crest_core import CrestError, FieldError, FieldSpec, NoGradient, SequenceComponent, default_dictionary
from crest_core.testing import (
    Balance,
    LinearReservoir,
    NumpyBucket,
    SmallLSTM,
    Stress,
    TorchBucket,
    check_component,
    component_checks,
)
from crest_core.testing.checks import CHECKS, NEEDS
from crest_core.testing.synthetic import TYPICAL, plausible_range

BROKEN = {  # the tables of the files test_broken_*.py
    "declarations": ("EXPECTED",),
    "runs": ("EXPECTED",),
    "numbers": ("FAILING", "WARNING"),
    "citizens": ("FAILING", "WARNING"),
    "packages": ("PACKAGES", "FAILING"),
}
UNBROKEN = {
    "numerics.device": "needs an accelerator",
    "numerics.gaps": "only of components that declare gaps: test_gaps.py",
    "state.round-trip": "what no file can hold does not get through the stage shapes",
}
NO_NAME = {"ports.in-dictionary": "streamflow per area has no standard name"}


class Clouds(SequenceComponent):
    """Blurs a map: neighbours count, and windows of the past."""

    inputs = (FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux", dims=("y", "x"), window=3),)
    outputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux", dims=("y", "x")),)

    def sequence(self, state, inputs, times):
        rain = inputs["rain"].mean(1)
        return {"runoff": 0.5 * (rain + rain.roll(1, -1))}, {}


class Hidden(NumpyBucket):
    """A black box that hides its state."""

    opaque = True
    states = ()

    def __init__(self):
        super().__init__(gradient=NoGradient())
        self.water = {}

    def initial_state(self, sizes):
        return {}

    def evaluate(self, state, inputs, parameters):
        rain = inputs["precipitation"]
        storage = self.water.get(rain.shape, torch.full_like(rain, 50.0))
        outputs, after = super().evaluate({"storage": storage}, inputs, parameters)
        self.water[rain.shape] = after["storage"]
        return outputs, {}


GOOD = {
    TorchBucket: {},
    NumpyBucket: {},
    Stress: {},
    SmallLSTM: {},
    LinearReservoir: {"expected": NO_NAME},
    Clouds: {},
    Hidden: {},
}


@pytest.mark.parametrize("component", GOOD, ids=lambda kind: kind.__name__)
def test_a_good_component_passes_all_checks(component):
    report = check_component(component, **GOOD[component])
    report.assert_ok()
    assert len(report.results) == len(CHECKS)
    assert report.ids("warn") == report.ids("skipped") == []


def test_an_instance_is_checked_by_its_copies():
    bucket = TorchBucket(capacity=120.0)
    before = {name: value.clone() for name, value in bucket.state_dict().items()}
    assert check_component(bucket, stages=["gradients"]).ok
    assert all(torch.equal(value, before[name]) for name, value in bucket.state_dict().items())
    assert bucket.training


def test_there_are_more_than_forty_checks_each_with_reason_and_fix():
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids)) > 40
    for check in CHECKS:
        assert check.stage in NEEDS and check.reason and check.fix
        assert not check.reason.endswith(".") and not check.fix.endswith(".")


def told(name):
    """Return the ids in the tables of a file beside this one, whose tests prove every row of them."""
    spec = spec_from_file_location(f"tables_of_{name}", Path(__file__).with_name(f"test_broken_{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = set()
    for table in BROKEN[name]:
        for row in getattr(module, table).values():
            found |= set().union(*row[1:]) if isinstance(row, tuple) else row
    return found


def test_every_check_is_broken_by_a_component_but_for_those_that_need_more():
    claims = ["water: precipitation = runoff + d(storage)", "carbon", "energy: heat = d(warmth)"]
    broken = set(check_component(TorchBucket, conserves=claims, stages=["conservation"]).ids("fail"))
    assert broken == {"conservation.water", "conservation.carbon", "conservation.energy"}
    broken = broken.union(*map(told, BROKEN))
    ids = {check.id for check in CHECKS}
    assert broken <= ids
    assert ids - broken == set(UNBROKEN)


def test_stages_come_after_those_that_they_need():
    order = list(NEEDS)
    assert list(dict.fromkeys(check.stage for check in CHECKS)) == order
    assert all(order.index(needed) < order.index(stage) for stage in order for needed in NEEDS[stage])


def test_what_does_not_apply_is_argued_for():
    report = check_component(Hidden, stages=["state"])
    texts = {result.check.id: result.text for result in report.results if result.outcome == "not applicable"}
    assert texts["state.restart-anywhere"] == "opaque is True: there is no restart"
    assert all(texts.values())


def test_a_stage_that_stands_on_a_broken_one_is_skipped_and_says_on_what():
    report = check_component(lambda: torch.nn.Identity(), stages=["gradients"])
    assert report.ids("fail") == ["build.factory"]
    last = report.results[-1]
    assert (last.outcome, last.text) == ("skipped", "proves nothing before build.factory is mended")


def test_an_expected_failure_is_no_failure_and_lets_later_stages_run():
    report = check_component(LinearReservoir, expected=NO_NAME, stages=["shapes"])
    assert report.ok
    assert report.ids("expected failure") == ["ports.in-dictionary"]
    assert report.ids("skipped") == []
    assert "streamflow per area has no standard name (streamflow: " in report.results[3].text


def test_an_expected_failure_that_passes_is_a_failure():
    report = check_component(TorchBucket, expected={"ports.dims": "it was wrong once"}, stages=["ports"])
    assert report.ids("fail") == ["ports.dims"]
    with pytest.raises(AssertionError, match="it was wrong once.*, but passes; take the declaration out"):
        report.assert_ok()


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"ports.dim": "because"}, "'ports.dim' is no check; did you mean 'ports.dims'"),
        ({"ports.dims": " "}, "'ports.dims' has no reason"),
    ],
)
def test_an_expected_failure_names_a_check_and_a_reason(expected, words):
    with pytest.raises(CrestError, match=words):
        check_component(TorchBucket, expected=expected)


def test_an_unknown_stage_is_told():
    with pytest.raises(CrestError, match="stage 'port' is unknown; did you mean 'ports'"):
        check_component(TorchBucket, stages=["port"])


def test_a_component_that_exits_fails_and_does_not_end_the_suite():
    class Exits(TorchBucket):
        """Calls exit where it should compute."""

        def step(self, state, inputs, time):
            raise SystemExit(3)

    report = check_component(Exits, stages=["shapes"])
    assert "SystemExit: 3" in {result.check.id: result.text for result in report.failures}["shapes.step"]


def test_a_failure_says_what_was_seen_why_and_what_to_do():
    class Late(TorchBucket):
        """Reads the date."""

        def step(self, state, inputs, time):
            rain = inputs["precipitation"] * (1.0 + 0.1 * (time.month > 5))
            return super().step(state, inputs | {"precipitation": rain}, time)

    with pytest.raises(AssertionError) as caught:
        check_component(Late, stages=["purity"]).assert_ok()
    text = str(caught.value)
    assert "Late: " in text and "purity.time-blind: the same values 122 days later: output storage at index" in text
    assert "Why: a date read from `time` is an input that no plan shows. Fix: declare day_of_year" in text


def test_json_holds_everything():
    report = check_component(Stress, stages=["ports"])
    data = json.loads(report.to_json())
    assert (data["component"], data["ok"], data["seed"]) == ("Stress", True, report.seed)
    assert [row["id"] for row in data["results"]] == [result.check.id for result in report.results]
    assert set(data["results"][0]) == {"id", "stage", "outcome", "text", "reason", "fix", "seconds"}


def test_a_seed_repeats_a_run_and_two_components_have_their_own():
    first, again, other = (check_component(kind, stages=["build"]).seed for kind in (Stress, Stress, TorchBucket))
    assert first == again != other
    assert check_component(Stress, stages=["build"], seed=5).seed == 5


def test_inputs_and_sizes_of_ones_own_are_used():
    seen = []

    def inputs(spec, shape, generator):
        seen.append((spec.name, shape))
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    assert check_component(TorchBucket, stages=["shapes"], inputs=inputs, sizes={"cell": 9}).ok
    assert {name for name, _ in seen} == {"precipitation", "evapotranspiration"}
    assert {shape[-1] for _, shape in seen} == {9}


def test_checks_for_pytest_build_nothing_before_they_are_called():
    built = []
    checks = component_checks(lambda: built.append(1) or TorchBucket())
    assert not built
    assert [str(check) for check in checks] == [check.id for check in CHECKS]
    checks[0]()
    assert built


@pytest.mark.parametrize("check", component_checks(Clouds, stages=["shapes"]), ids=str)
def test_checks_are_parameters_of_a_test(check):
    check()


def test_a_check_for_pytest_fails_or_is_skipped_with_the_reason():
    checks = {str(check): check for check in component_checks(LinearReservoir)}
    with pytest.raises(AssertionError, match="water_volume_transport_per_area' is not in the field dictionary"):
        checks["ports.in-dictionary"]()
    with pytest.raises(unittest.SkipTest, match="proves nothing before ports.in-dictionary is mended"):
        checks["shapes.step"]()


def test_a_balance_reads_as_an_equation():
    balance = Balance.parse("water: rain = runoff + evaporation + d(soil_water) + d( snow )")
    assert balance == Balance("water", ("rain",), ("runoff", "evaporation"), ("soil_water", "snow"))
    with pytest.raises(FieldError, match="expected one of water, energy, carbon, and an equation of fields"):
        Balance.parse("momentum: a = b")
    with pytest.raises(FieldError, match="an equation of fields"):
        check_component(TorchBucket, conserves=["water: rain - runoff"])


def test_a_balance_of_unknown_fields_is_told():
    report = check_component(TorchBucket, conserves=["water: rain = d(storage)"], stages=["conservation"])
    (failure,) = report.failures
    assert "['rain'] are no such fields of TorchBucket; inputs and outputs ['evapotranspiration'" in failure.text


def test_the_residual_is_reported_where_nothing_is_claimed():
    report = check_component(TorchBucket, stages=["conservation"])
    text = next(result.text for result in report.results if result.check.id == "conservation.water")
    assert "does not declare that it conserves water; largest residual" in text and "mm a step" in text


def test_typical_ranges_lie_within_the_bounds_of_the_dictionary():
    dictionary = default_dictionary()
    for name, (low, high) in TYPICAL.items():
        bounds = dictionary[name].bounds
        assert low < high
        assert bounds is None or bounds[0] <= low < high <= bounds[1], name


def test_plausible_values_are_in_the_units_and_bounds_of_the_field():
    dictionary = default_dictionary()
    celsius = FieldSpec(name="t", units="degC", standard_name="air_temperature")
    assert plausible_range(celsius, dictionary) == pytest.approx((-15.15, 26.85))
    up = FieldSpec(name="e", units="mm day-1", standard_name="water_evapotranspiration_flux", positive="down")
    assert plausible_range(up, dictionary) == pytest.approx((-4.32, -0.0864))
    own = FieldSpec(name="share", units="1", bounds=(0.2, 0.4))
    assert plausible_range(own, dictionary) == (0.2, 0.4)
    half_open = FieldSpec(name="x", units="1", bounds=(5.0, float("inf")))
    assert plausible_range(half_open, dictionary) == (5.0, 6.0)
