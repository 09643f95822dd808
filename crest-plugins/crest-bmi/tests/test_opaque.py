"""A model that hides its state: in time order, without gradient, and everybody says so."""

import copy

import numpy as np
import pytest
import torch
import xarray as xr
from crest_bmi import BmiComponent

from crest_core import (
    ComponentError,
    FiniteDifference,
    GradientError,
    Graph,
    SafetensorsStore,
    Sizes,
    StateError,
    simulate,
)


def start(component, cells=1, lead=()):
    return component.initial_state(Sizes({"cell": cells}, lead=lead))


def rain(*values):
    return {"rain": torch.tensor(values, dtype=torch.float64)}


def run(component, *days):
    state, flows = start(component), []
    for day in days:
        outputs, state = component.step(state, rain(day), 0)
        flows.append(float(outputs["flow"]))
    return flows, state


def test_a_model_without_states_is_opaque_and_every_report_says_so(models):
    component = BmiComponent(models.Hidden)
    graph = Graph({"store": component})
    assert component.opaque and component.gradient_policy == "none" and graph.opaque
    assert "opaque: hides its state; no gradient, no restart" in repr(graph)
    assert graph.gradient_report().status("forcing.rain", "flow") == "blocked"
    with pytest.raises(GradientError, match=r"hides its state \(opaque\)"):
        BmiComponent(models.Hidden, gradient=FiniteDifference())


def test_it_runs_in_time_order_and_again_from_its_start(models):
    component = BmiComponent(models.Hidden)
    flows, _ = run(component, 1.0, 2.0, 0.0)
    assert flows == pytest.approx([1.0, 0.1 * 10.0 + 1.0, 0.1 * 11.0 + 2.0])
    assert run(component, 1.0, 2.0, 0.0)[0] == flows


def test_it_cannot_go_back_unless_the_inputs_are_kept(models):
    component = BmiComponent(models.Hidden)
    _, early = run(component, 1.0, 2.0)
    component.step(early, rain(5.0), 0)
    with pytest.raises(StateError, match=r"opaque: it hides its state, runs in time order.*stands after 3 steps; i"):
        component.step(early, rain(0.0), 0)
    kept = BmiComponent(models.Hidden, replay=True)
    _, early = run(kept, 1.0, 2.0)
    kept.step(early, rain(5.0), 0)
    outputs, _ = kept.step(early, rain(0.0), 0)
    assert [float(outputs["flow"])] == run(BmiComponent(models.Hidden), 1.0, 2.0, 0.0)[0][2:]


def test_two_runs_that_take_turns_are_told_apart(models):
    component, kept = BmiComponent(models.Hidden), BmiComponent(models.Hidden, replay=True)
    for model, fails in ((component, True), (kept, False)):
        _, first = run(model, 1.0)
        _, second = run(model, 8.0)  # as many steps, other inputs
        assert float(model.step(second, rain(0.0), 0)[0]["flow"]) == pytest.approx(0.1 * 17.0 + 8.0)
        if fails:
            with pytest.raises(StateError, match="build it with replay=True to keep them"):
                model.step(first, rain(0.0), 0)
        else:
            assert float(model.step(first, rain(0.0), 0)[0]["flow"]) == pytest.approx(0.1 * 10.0 + 1.0)


def test_members_and_cells_have_running_models_of_their_own(models):
    component = BmiComponent(models.Hidden)
    series = torch.rand(4, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    outputs, state = component(start(component, 3, lead=(2,)), {"rain": series}, range(4))
    assert state["bmi_token"].shape == (2, 2, 3)
    alone = run(BmiComponent(models.Hidden), *series[:, 1, 2].tolist())[0]
    assert outputs["flow"][:, 1, 2].tolist() == alone


def test_a_grid_of_columns_is_one_running_model(models):
    component = BmiComponent(models.variant(models.Hidden, cells=3))
    outputs, state = component(start(component, 3), {"rain": torch.ones(2, 3)}, range(2))
    assert outputs["flow"][1].tolist() == [2.0, 2.0, 2.0]
    assert state["bmi_token"].shape == (2, 3) and state["bmi_token"][0].tolist() == [2.0, 2.0, 2.0]
    component.step(state, {"rain": torch.ones(3)}, 0)


def test_a_restart_is_refused_when_written_and_when_read(models, tmp_path):
    times = np.datetime64("2001-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
    weather = xr.Dataset({"rain": (("time", "cell"), np.ones((4, 2)), {"units": "mm day-1"})}, {"time": times})
    graph = Graph({"store": BmiComponent(models.Hidden)})
    with pytest.raises(StateError, match="opaque component hides state and cannot write a restart"):
        simulate(graph, weather, store=SafetensorsStore(tmp_path / "restart.safetensors"))
    assert simulate(graph, weather)["flow"].sizes["time"] == 4
    _, state = run(BmiComponent(models.Hidden), 1.0)
    with pytest.raises(StateError, match="stands after 0 steps; it cannot go on from the state after 1 steps"):
        BmiComponent(models.Hidden).step(state, rain(1.0), 0)
    with pytest.raises(StateError, match="it has no record of them"):
        BmiComponent(models.Hidden, replay=True).step(state, rain(1.0), 0)


def test_a_copy_begins_anew_and_a_failed_step_leaves_no_false_state(models):
    component = BmiComponent(models.Hidden)
    _, state = run(component, 1.0)
    with pytest.raises(StateError, match="stands after 0 steps"):
        copy.deepcopy(component).step(state, rain(1.0), 0)
    with pytest.raises(ComponentError, match=r"update\(\) raised ValueError: the reservoir overflows in step 2 since"):
        component.step(state, rain(999.0), 0)
    with pytest.raises(StateError, match="cannot go on"):
        component.step(state, rain(1.0), 0)


def test_finalize_ends_all_running_models(models):
    component = BmiComponent(models.Hidden)
    component.step(start(component, 3), rain(1.0, 1.0, 1.0), 0)
    before = models.Hidden.finalized
    component.finalize()
    assert models.Hidden.finalized == before + 3
