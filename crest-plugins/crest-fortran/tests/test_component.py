"""A library as a component: shapes, gradients from one call, messages, memory."""

import copy
import warnings

import pytest
import torch
from crest_fortran import FortranComponent

from crest_core import ComponentError, FieldError, FiniteDifference, GradientError, Graph, NoGradient, Sizes
from crest_core.provenance import graph_hash

NAN, OUT_OF_BOUNDS, SEGFAULT = 8.0, 9.0, 3.0


def inputs(order=0.0, lead=(), cells=2):
    shape = (*lead, cells)
    return {"rain": torch.full(shape, 3.0), "order": torch.full(shape, order)}


def start(component, lead=(), cells=2):
    return component.initial_state(Sizes({"cell": cells}, lead=lead))


def test_fields_come_from_the_library_and_the_author_adds_to_them(reservoir):
    override = {"water": {"standard_name": "soil_water", "dims": ("store", "y", "x")}, "rain": {"dims": ("y", "x")}}
    override |= {"order": {"dims": ("y", "x"), "static": True}, "flow": {"dims": ("y", "x"), "positive": "down"}}
    component = FortranComponent(reservoir, fields=override, isolation="none")
    assert component.dim_sizes == {"store": 2}
    assert [s.name for s in component.inputs] == ["rain", "order"]
    assert component.outputs[0].dims == ("store", "y", "x") and component.outputs[1].positive == "down"
    state = component.initial_state(Sizes({"y": 2, "x": 3}))
    day = {"rain": torch.rand(2, 3), "order": torch.zeros(2, 3)}
    outputs, state = component.step(state, day, 0)
    assert torch.allclose(state["water"][0], 5.0 + day["rain"].double())
    assert outputs["flow"].shape == (2, 3) and outputs["flow"].dtype == torch.float32


@pytest.mark.parametrize("lead", [(), (4,), (3, 2)])
def test_leading_dims_become_columns_of_one_call(reservoir, lead):
    component = FortranComponent(reservoir, isolation="none")
    state, day = start(component, lead), inputs(lead=lead)
    day["rain"] = torch.rand(*lead, 2)
    outputs, after = component.step(state, day, 0)
    assert component.library.calls == 1
    expected = 0.5 * state["water"]
    expected[..., 0, :] += day["rain"]
    torch.testing.assert_close(after["water"], expected)
    torch.testing.assert_close(outputs["water"], expected.float())
    torch.testing.assert_close(outputs["flow"], 0.5 * state["water"].sum(-2).float())
    assert after["water"].is_contiguous()


def test_a_vector_jacobian_product_is_one_call_of_twice_as_many_columns_as_scalars(reservoir):
    component = FortranComponent(reservoir)
    state, day = start(component, cells=5), inputs(cells=5)
    day["rain"].requires_grad_()
    state["water"].requires_grad_()
    outputs, after = component.step(state, day, 0)
    calls = component.library.calls
    (after["water"].sum() + outputs["flow"].sum()).backward()
    assert component.library.calls == calls + 1
    assert component.library.arrays(2 * (2 + 1 + 1) * 5).inputs.shape == (2, 40)  # water, rain, share
    torch.testing.assert_close(day["rain"].grad, torch.ones(5))
    torch.testing.assert_close(state["water"].grad, torch.ones(2, 5).double())


def test_the_parameter_gradient_is_that_of_the_equation(reservoir):
    component = FortranComponent(reservoir, parameters={"share": 0.3})
    _, state = component.step(start(component), inputs(), 0)
    state["water"].sum().backward()
    slope = -2 * (10.0 + 20.0) * 0.3 * 0.7  # d/d raw of -(share) (sum of water), two cells
    assert component.physical.raw["share"].grad.item() == pytest.approx(slope, rel=1e-6)


def test_arguments_are_not_changed(reservoir):
    component = FortranComponent(reservoir, isolation="none")
    state, day = start(component), inputs()
    kept = copy.deepcopy((state, day))
    _, after = component.step(state, day, 0)
    component.step(after, day, 1)
    for now, then in zip((state, day), kept, strict=True):
        assert all(torch.equal(now[name], then[name]) for name in now)


def test_a_crash_names_library_and_time_and_the_run_goes_on_from_the_last_state(reservoir):
    component = FortranComponent(reservoir)
    _, good = component.step(start(component), inputs(), "2014-01-01")
    kept = good["water"].clone()
    with pytest.raises(ComponentError, match=r"reservoir 2.3 .*, step at 2014-01-02: .* signal SIGSEGV"):
        component.step(good, inputs(SEGFAULT), "2014-01-02")
    assert torch.equal(good["water"], kept)
    _, again = component.step(good, inputs(), "2014-01-02")
    torch.testing.assert_close(again["water"][1], 0.5 * kept[1])


@pytest.mark.parametrize(("order", "got"), [(NAN, "got nan"), (OUT_OF_BOUNDS, "got 5000.0")])
def test_values_that_cannot_be_are_reported_with_field_cell_and_time(reservoir, order, got):
    component = FortranComponent(reservoir)
    day = inputs()
    day["order"][1] = order
    where = 0 if order == NAN else 1
    words = rf"step at 2014-01-05: field water \[mm\] at 2014-01-05, level {where}, cell 1: .*{got}"
    with pytest.raises(ComponentError, match=words):
        component.step(start(component), day, "2014-01-05")


def test_an_opaque_library_has_no_gradient_and_does_not_restart_by_itself(reservoir):
    component = FortranComponent(reservoir, opaque=True)
    assert component.opaque and component.gradient_policy == "none"
    state = start(component)
    component.step(state, inputs(), 0)
    with pytest.raises(ComponentError, match=r"SIGSEGV.*its hidden state is lost: call restart\(\)"):
        component.step(state, inputs(SEGFAULT), 1)
    with pytest.raises(ComponentError, match=r"took the hidden state of this opaque library along; call restart\(\)"):
        component.step(state, inputs(), 1)
    component.library.restart()
    component.step(state, inputs(), 0)
    with pytest.raises(GradientError, match="opaque"):
        FortranComponent(reservoir, opaque=True, gradient=FiniteDifference())


def test_a_deep_copy_is_a_model_of_its_own(reservoir):
    component = FortranComponent(reservoir)
    twin = copy.deepcopy(component)
    twin.physical.assign({"share": 0.1})
    _, one = component.step(start(component), inputs(), 0)
    _, two = twin.step(start(twin), inputs(), 0)
    assert one["water"][1, 0].item() == 10.0 and two["water"][1, 0].item() == pytest.approx(18.0)
    assert component.library.child.pid != twin.library.child.pid


def test_initial_values_are_the_library_s_or_the_author_s(reservoir):
    state = start(FortranComponent(reservoir, isolation="none"), lead=(3,))
    assert state["water"].shape == (3, 2, 2) and state["water"].dtype == torch.float64
    assert state["water"][2, :, 1].tolist() == [10.0, 20.0]
    state = start(FortranComponent(reservoir, isolation="none", initial={"water": (1.0, 2.0)}))
    assert state["water"].tolist() == [[1.0, 1.0], [2.0, 2.0]]
    state = start(FortranComponent(reservoir, isolation="none", initial={"water": 7.0}))
    assert state["water"].tolist() == [[7.0, 7.0], [7.0, 7.0]]


def test_the_length_of_the_step_reaches_the_library(reservoir):
    component = FortranComponent(reservoir, timestep="12h", isolation="none")
    _, state = component.step(start(component), inputs(), 0)
    assert state["water"][:, 0].tolist() == [9.0, 15.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fields": {"snow": {}}}, r"reservoir: fields \['snow'\] are not in the library; it has \['rain'"),
        ({"fields": {"rain": {"units": "m"}}}, r"field rain cannot have \['units'\] overridden; possible: "),
        ({"fields": {"water": {"dims": ("cell",)}}}, r"water has 2 levels, dims \('cell',\) and window 1; expected"),
        ({"fields": {"flow": {"dims": ()}}}, r"output flow has dims \(\), expected one of"),
        ({"parameters": {"b": 1.0}}, r"reservoir: parameters \['b'\] are not in the library; it has \['share'\]"),
        ({"initial": {"water": (1.0, 2.0, 3.0)}}, r"state water has 2 levels, got values of shape \(3,\)"),
        ({"fields": {"share": {"dims": ("cell",)}}}, r"parameter share has dims \('cell',\); give its values"),
    ],
)
def test_what_does_not_fit_the_library_is_an_error_when_it_is_built(reservoir, arguments, message):
    with pytest.raises(FieldError, match=message):
        FortranComponent(reservoir, isolation="none", **arguments)


def test_parameters_may_differ_from_cell_to_cell(reservoir):
    arguments = {"fields": {"share": {"dims": ("cell",)}}, "parameters": {"share": [0.1, 0.5]}}
    component = FortranComponent(reservoir, isolation="none", **arguments)
    _, state = component.step(start(component), inputs(), 0)
    torch.testing.assert_close(state["water"][1], torch.tensor([18.0, 10.0]).double())
    state["water"].sum().backward()
    assert component.physical.raw["share"].grad.shape == (2,)


def test_dims_of_one_name_have_one_size(build):
    source = """
#include <string.h>
#include "crest_component.h"
int32_t crest_api_version(void) { return 1; }
int32_t crest_describe_model(crest_model *m) { strcpy(m->name, "odd"); m->field_count = 2; return 0; }
int32_t crest_describe_field(int32_t i, crest_field *f) {
    f->kind = CREST_OUTPUT; f->levels = i + 1; strcpy(f->name, i == 1 ? "a" : "b"); strcpy(f->units, "1"); return 0;
}
int32_t crest_step(int32_t n, double dt, const double *p, const double *x, const double *s, double *t, double *y) {
    return 0;
}
"""
    with pytest.raises(FieldError, match="odd: dim level has 2 levels in one field and 3 in b; give it another"):
        FortranComponent(build("odd.c", source), isolation="none")


def test_no_gradient_leaves_the_tape(reservoir):
    component = FortranComponent(reservoir, isolation="none", gradient=NoGradient())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs, _ = component.step(start(component), inputs(), 0)
    assert not outputs["flow"].requires_grad


WINDOW = """
#include <string.h>
#include "crest_component.h"
int32_t crest_api_version(void) { return 1; }
int32_t crest_describe_model(crest_model *m) { strcpy(m->name, "memory"); m->field_count = 2; return 0; }
int32_t crest_describe_field(int32_t i, crest_field *f) {
    f->kind = i; f->levels = i == 1 ? 6 : 1; strcpy(f->name, i == 1 ? "x" : "y"); strcpy(f->units, "1"); return 0;
}
int32_t crest_step(int32_t n, double dt, const double *p, const double *x, const double *s, double *t, double *y) {
    for (int c = 0; c < n; c++) {
        y[c] = 0;
        for (int row = 0; row < 6; row++) y[c] += (row + 1) * x[row * n + c];
    }
    return 0;
}
"""


@pytest.mark.parametrize("lead", [(), (5,), (2, 4)])
def test_windows_and_levels_become_rows_oldest_first(build, lead):
    fields = {"x": {"window": 3, "dims": ("soil_layer", "cell")}}
    component = FortranComponent(build("memory.c", WINDOW), fields=fields, isolation="none")
    assert component.dim_sizes == {"soil_layer": 2}
    x = torch.rand(3, *lead, 2, 7, dtype=torch.float64)  # an input with a window has it right after time
    weights = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(3, 2)
    expected = torch.einsum("wl,w...lc->...c", weights, x)
    outputs, _ = component.step({}, {"x": x}, 0)
    torch.testing.assert_close(outputs["y"], expected)


def test_it_prints_library_hash_and_initial_state_but_no_path(reservoir):
    component = FortranComponent(reservoir, isolation="none", initial={"water": [1.0, 2.0]})
    text = repr(component)
    assert f"library reservoir 2.3, sha256 {component.library.sha256}" in text
    assert "initial state water=[1.0, 2.0]" in text
    assert str(reservoir) not in text


def test_another_binary_or_initial_state_is_another_graph(reservoir, build):
    def identity(path, **settings):
        return graph_hash(Graph({"hill": FortranComponent(path, isolation="none", **settings)}))

    changed = build("reservoir.f90", reservoir.with_suffix(".f90").read_text().replace("call c_abort()", "stop"))
    assert identity(reservoir) == identity(reservoir)
    assert len({identity(reservoir), identity(changed), identity(reservoir, initial={"water": 9.0})}) == 3


def test_layers_are_those_of_the_library_s_dims(reservoir):
    depths = {"level": ((0.0, 0.2), (0.2, 0.6))}
    assert FortranComponent(reservoir, isolation="none", layers=depths).layers == depths
    for wrong in ({"level": ((0.0, 0.2),)}, {"storey": ((0.0, 0.2), (0.2, 0.6))}):
        with pytest.raises(ComponentError, match=r"reservoir 2.3 .* pairs of depths, expected one for each level of"):
            FortranComponent(reservoir, isolation="none", layers=wrong)
