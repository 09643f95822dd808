"""Looking at a running graph: what breaks a rule is named, what keeps them runs as it did."""

import pytest
import torch

from crest_core import (
    Clock,
    ComponentError,
    Connection,
    FieldSpec,
    Graph,
    SequenceComponent,
    Sizes,
    StepComponent,
    simulate,
)
from crest_core.testing import Stress, TorchBucket, weather
from crest_core.testing.compliance import STEPS, complying, complying_if_asked

RAIN, EVAPORATION = TorchBucket.inputs
TIMES = Clock("2001-01-01", "2001-06-01", "1D").times


def coupled(soil):
    return Graph(
        {"soil": soil, "plant": Stress()}, [Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)]
    )


def forcing(steps, cells=2):
    generator = torch.Generator().manual_seed(3)
    rain = 6.0 * torch.rand(steps, cells, generator=generator)
    return {"precipitation": rain, "potential_evaporation": torch.full((steps, cells), 2.0)}


def run(graph, inputs=None, times=TIMES):
    inputs = inputs or forcing(len(times))
    state = graph.initial_state(Sizes({"cell": 2}))
    with torch.no_grad():
        return graph(state, inputs, times)


class Late(TorchBucket):
    """A bucket that goes wrong at the 70th call."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def wrong(self, outputs, state, inputs):
        return outputs, state

    def step(self, state, inputs, time):
        outputs, after = super().step(state, inputs, time)
        self.calls += 1
        return self.wrong(outputs, after, inputs) if self.calls > 70 else (outputs, after)


class OutOfBounds(Late):
    def wrong(self, outputs, state, inputs):
        return outputs | {"runoff": outputs["runoff"] + torch.tensor([0.0, 900.0])}, state


class NotFinite(Late):
    def wrong(self, outputs, state, inputs):
        return outputs, {"storage": state["storage"] * float("nan")}


class ChangesInputs(Late):
    def wrong(self, outputs, state, inputs):
        inputs["precipitation"].add_(1.0)
        return outputs, state


class PopsInputs(Late):
    def wrong(self, outputs, state, inputs):
        inputs.pop("precipitation")
        return outputs, state


class Undeclared(Late):
    def wrong(self, outputs, state, inputs):
        return outputs | {"debug": outputs["runoff"]}, state


class OtherShape(Late):
    def wrong(self, outputs, state, inputs):
        return outputs | {"runoff": outputs["runoff"][:1]}, state


class Integers(Late):
    def wrong(self, outputs, state, inputs):
        return outputs | {"runoff": outputs["runoff"].int()}, state


class Scalar(Late):
    def wrong(self, outputs, state, inputs):
        return outputs | {"runoff": outputs["runoff"].sum()}, state


class Remembers(TorchBucket):
    """Gives another answer to the same call."""

    calls = 0

    def step(self, state, inputs, time):
        self.calls += 1
        outputs, state = super().step(state, inputs, time)
        return outputs | {"runoff": outputs["runoff"] + self.calls}, state


WRONG = {
    OutOfBounds: r"soil at 2001-03-11 00:00:00: runoff \[mm day-1\], cell 1: expected finite and within .*, got 90",
    NotFinite: r"soil at 2001-03-11 00:00:00: storage \[kg m-2\], cell 0: expected finite and within .*, got nan",
    ChangesInputs: "soil at 2001-03-11 00:00:00 changed its arguments; compute new tensors and dicts",
    PopsInputs: "soil at 2001-03-11 00:00:00 changed its arguments",
    Undeclared: r"expected the outputs \['runoff', 'storage'\] .*, got \['debug', 'runoff', 'storage'\]",
    OtherShape: r"output runoff is torch.float32 \(1,\); cell is 2 in other fields",
    Integers: r"output runoff is torch.int32 \(2,\), expected real numbers with the dims \('cell',\)",
    Scalar: r"output runoff is torch.float32 \(\), expected real numbers",
    Remembers: "soil at 2001-01-01 00:00:00: the same call gives another runoff; put all memory into the state",
}


@pytest.mark.parametrize("soil", WRONG, ids=lambda kind: kind.__name__)
def test_what_breaks_a_rule_is_named_with_component_field_and_time(soil):
    graph = coupled(soil())
    graph.eval()
    with pytest.raises(ComponentError, match=WRONG[soil]), complying(graph):
        run(graph)


def test_a_good_run_is_the_same_and_leaves_nothing_behind():
    graph = coupled(TorchBucket())
    graph.eval()
    expected, last = run(graph)
    with complying(graph) as records:
        outputs, state = run(graph)
    assert all(torch.equal(outputs[name], value) for name, value in expected.items())
    assert all(torch.equal(state[name], value) for name, value in last.items())
    soil = records[0]
    assert (soil.name, soil.calls, soil.steps) == ("soil", len(TIMES), len(TIMES))
    assert soil.seconds > 0.0
    low, high = soil.ranges["runoff"]
    assert (low, high) == pytest.approx((float(expected["runoff"].min()), float(expected["runoff"].max())))
    assert "step" not in graph.components["soil"].__dict__


def test_gradients_pass_and_fewer_steps_than_a_block_are_looked_at_too():
    graph = coupled(TorchBucket())
    inputs = {name: value.requires_grad_() for name, value in forcing(STEPS // 2).items()}
    with complying(graph):
        outputs, _ = graph(graph.initial_state(Sizes({"cell": 2})), inputs, TIMES[: STEPS // 2])
    outputs["runoff"].sum().backward()
    assert bool((inputs["precipitation"].grad != 0).all())
    short = coupled(OutOfBounds())
    short.components["soil"].calls = 65
    with pytest.raises(ComponentError, match="runoff"), complying(short):
        run(short, times=TIMES[:10])


def test_sequences_windows_and_static_fields_are_looked_at():
    class Smooth(SequenceComponent):
        inputs = (
            FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux", window=3),
            FieldSpec(name="height", units="m", standard_name="surface_altitude", static=True, bounds=(0.0, 100.0)),
        )
        outputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux"),)

        def sequence(self, state, inputs, times):
            return {"runoff": inputs["rain"].mean(1) + 0.0 * inputs["height"]}, {}

    graph = Graph({"hills": Graph({"smooth": Smooth()})})
    graph.eval()
    rain = torch.rand(12, 2)
    state = graph.prime(graph.initial_state(Sizes({"cell": 2})), {"rain": rain[:2]})
    with complying(graph) as records:
        graph(state, {"rain": rain[2:], "height": torch.full((2,), 50.0)}, TIMES[:10])
    assert [(record.name, record.calls, record.steps) for record in records] == [("hills.smooth", 1, 10)]
    assert records[0].ranges["height"] == (50.0, 50.0)
    with (
        pytest.raises(ComponentError, match=r"height \[m\], cell 0: expected .*\(0.0, 100.0\), got 500.0"),
        complying(graph),
    ):
        graph(state, {"rain": rain[2:], "height": torch.full((2,), 500.0)}, TIMES[:10])


def test_times_that_jump_are_told():
    class Hill(SequenceComponent):
        inputs = (FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux"),)
        outputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux"),)

        def sequence(self, state, inputs, times):
            return {"runoff": inputs["rain"] * 0.5}, {}

    graph = Graph({"hill": Hill()})
    with (
        pytest.raises(ComponentError, match=r"hill: 2 steps from 2001-01-01 .* to 2001-01-03 .* are not 1 day"),
        complying(graph),
    ):
        graph({}, {"rain": torch.ones(2, 1)}, [TIMES[0], TIMES[2]])
    half = Clock("2001-01-01", "2001-01-02", "12h").times
    graph = coupled(TorchBucket())
    with (
        pytest.raises(ComponentError, match="a step at 2001-01-01 12:00:00 follows one at .*, less than 1 day"),
        complying(graph),
    ):
        run(graph, times=half)


def test_a_step_that_is_a_sequence_counts_once():
    class Twice(SequenceComponent):
        inputs = (RAIN, EVAPORATION)
        outputs = TorchBucket.outputs

        def sequence(self, state, inputs, times):
            rain = inputs["precipitation"]
            return {"storage": 50.0 + rain, "runoff": rain + 0.0 * inputs["evapotranspiration"]}, {}

    graph = coupled(Twice())
    with complying(graph) as records:
        run(graph)
    assert records[0].calls == len(TIMES)


def test_the_environment_asks_for_it(monkeypatch):
    graph = coupled(NotFinite())
    for word in ("", "0", "off", "False"):
        monkeypatch.setenv("CREST_COMPLIANCE", word)
        with complying_if_asked(graph) as records:
            run(graph)
        assert records == []
    monkeypatch.setenv("CREST_COMPLIANCE", "1")
    graph = coupled(NotFinite())
    with pytest.raises(ComponentError, match="got nan"), complying_if_asked(graph):
        run(graph)


def test_training_batches_with_a_date_for_each_sample_pass():
    graph = Graph({"plant": Stress()})
    times = [[time, time] for time in TIMES[:4]]
    inputs = {"potential_evaporation": torch.ones(4, 2, 3), "storage": torch.full((4, 2, 3), 60.0)}
    with complying(graph) as records:
        graph({}, inputs, times)
    assert records[0].steps == 4


def test_a_component_that_is_a_step_has_no_state_of_its_own():
    class Half(StepComponent):
        inputs = (RAIN,)
        outputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux"),)

        def step(self, state, inputs, time):
            return {"runoff": inputs["precipitation"] / 2}, {}

    graph = Graph({"hill": Half()})
    with complying(graph) as records:
        graph({}, {"precipitation": torch.ones(3, 2)}, TIMES[:3])
    assert records[0].ranges["runoff"] == (0.5, 0.5)


def test_a_simulation_looks_where_the_environment_asks_for_it(monkeypatch):
    forced = weather(80, cells=2, seed=1)
    monkeypatch.delenv("CREST_COMPLIANCE", raising=False)
    expected = simulate(coupled(TorchBucket()), forced)
    simulate(coupled(OutOfBounds()), forced)
    monkeypatch.setenv("CREST_COMPLIANCE", "1")
    assert simulate(coupled(TorchBucket()), forced).equals(expected)
    with pytest.raises(
        ComponentError, match=r"soil at 2001-03-11 00:00:00: runoff \[mm day-1\], cell 1: expected finite"
    ):
        simulate(coupled(OutOfBounds()), forced)
