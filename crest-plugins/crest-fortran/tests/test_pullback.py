"""Libraries that bring their own adjoint: used exactly, in a child process and in this one, and errors by words."""

import pytest
import torch
from crest_fortran import FortranComponent

from crest_core import ComponentError, Connection, GradientError, Graph, Pullback, Sizes
from crest_core.testing import Stress, relative_difference, taylor_orders

# q = k s^2, s' = s + rain - q in C, with its adjoint; an "order" makes the adjoint misbehave.
QUADRATIC = """
#include <stdlib.h>
#include <string.h>
#include "crest_component.h"
static void named(crest_field *f, int kind, const char *name, const char *units) {
  f->kind = kind; strcpy(f->name, name); strcpy(f->units, units);
}
int32_t crest_api_version(void) { return CREST_API_VERSION; }
int32_t crest_describe_model(crest_model *m) { m->field_count = 6; strcpy(m->name, "quadratic"); return 0; }
int32_t crest_describe_field(int32_t i, crest_field *f) {
  if (i == 1) { named(f, CREST_INPUT, "precipitation", "mm day-1"); strcpy(f->standard_name, "precipitation_flux"); }
  if (i == 2) named(f, CREST_INPUT, "order", "1");
  if (i == 3) { named(f, CREST_STATE, "storage", "mm"); f->initial[0] = 5.0; strcpy(f->cell_methods, "time: point"); }
  if (i == 4) { named(f, CREST_OUTPUT, "flow", "mm day-1"); }
  if (i == 5) { named(f, CREST_OUTPUT, "storage", "mm"); strcpy(f->cell_methods, "time: point"); }
  if (i == 6) { named(f, CREST_PARAMETER, "k", "mm-1 day-1"); f->upper = 0.05; f->initial[0] = 0.02; }
  return 0;
}
int32_t crest_step(int32_t n, double dt, const double *p, const double *x, const double *s, double *so, double *o) {
  for (int i = 0; i < n; i++) {
    o[i] = p[i] * s[i] * s[i];
    so[i] = o[n + i] = s[i] + x[i] - o[i];
  }
  return 0;
}
int32_t crest_pullback(int32_t n, double dt, const double *p, const double *x, const double *s, const double *dso,
                       const double *dout, double *dp, double *dx, double *ds) {
  if (x[n] == 1.0) abort();
  if (x[n] == 2.0) return 7;
  for (int i = 0; i < n; i++) {
    double d_end = dso[i] + dout[n + i], d_flow = dout[i] - d_end;
    dp[i] = d_flow * s[i] * s[i];
    dx[i] = d_end;
    dx[n + i] = 0.0;
    ds[i] = d_end + d_flow * 2.0 * p[i] * s[i];
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def quadratic(build):
    return build("quadratic.c", QUADRATIC)


def weather(order=0.0, steps=12, cells=3):
    rain = 3.0 * torch.rand(steps, cells, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return {"precipitation": rain, "order": torch.full((steps, cells), order, dtype=torch.float64)}


def run(component, inputs):
    start = component.initial_state(Sizes({"cell": inputs["order"].shape[-1]}))
    return component(start, inputs, range(len(inputs["order"])))[0]


def loss_of_rain(component):
    return lambda rain: run(component, weather() | {"precipitation": rain})["flow"].square().sum()


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_the_adjoint_of_the_library_passes_the_taylor_test(quadratic, isolation):
    component = FortranComponent(quadratic, gradient=Pullback(), isolation=isolation)
    rain = weather()["precipitation"]
    orders = taylor_orders(loss_of_rain(component), rain, torch.ones_like(rain), [1e-2, 1e-3, 1e-4])
    assert all(1.9 <= order <= 2.1 for order in orders), orders


def test_child_process_and_this_one_give_the_same_gradient_bit_for_bit(quadratic):
    found = []
    for isolation in ("process", "none"):
        rain = weather()["precipitation"].requires_grad_()
        component = FortranComponent(quadratic, gradient=Pullback(), isolation=isolation)
        found.append(torch.autograd.grad(loss_of_rain(component)(rain), [rain, *component.parameters()]))
    assert all(map(torch.equal, *found))


def test_adjoint_and_finite_differences_agree_for_parameters_and_inputs(quadratic):
    found = []
    for gradient in (None, Pullback()):
        rain = weather()["precipitation"].requires_grad_()
        component = FortranComponent(quadratic, gradient=gradient, isolation="none")
        found.append(torch.autograd.grad(loss_of_rain(component)(rain), [rain, *component.parameters()]))
    for estimated, exact in zip(*found, strict=True):
        assert relative_difference(estimated, exact) < 1e-7


def test_members_and_columns_go_through_the_adjoint_together(quadratic):
    component = FortranComponent(quadratic, gradient=Pullback(), isolation="none")
    rain = torch.rand(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    state = {"storage": torch.full((2, 3), 5.0, dtype=torch.float64)}
    outputs, _ = component.step(state, {"precipitation": rain, "order": torch.zeros(2, 3, dtype=torch.float64)}, 0)
    (gradient,) = torch.autograd.grad(outputs["storage"][1, 2], rain)
    assert gradient.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_a_graph_reports_the_adjoint_as_exact(quadratic):
    graph = Graph(
        {"soil": FortranComponent(quadratic, gradient=Pullback(), isolation="none"), "plant": Stress()},
        [Connection("soil.storage", "plant.storage")],
    )
    assert graph.gradient_report().policies["soil"] == "pullback"
    assert graph.gradient_report().status("soil parameters", "evapotranspiration") == "exact"


def test_a_library_without_an_adjoint_is_told_when_the_component_is_built(reservoir):
    with pytest.raises(GradientError, match="needs the adjoint of the step, and it exports no function crest_pullback"):
        FortranComponent(reservoir, gradient=Pullback())


@pytest.mark.parametrize(("order", "words"), [(1.0, "SIGABRT"), (2.0, "returned status 7, expected 0")])
def test_an_adjoint_that_fails_ends_in_an_error_that_names_the_library(quadratic, order, words):
    component = FortranComponent(quadratic, gradient=Pullback())
    inputs = weather(order)
    loss = run(component, inputs)["flow"].sum()
    with pytest.raises(ComponentError, match=f"quadratic .*{words}"):
        loss.backward()
    assert run(component, weather())["flow"].shape == (12, 3)
