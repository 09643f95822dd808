"""A BMI model in C behind its Python class: coupled, differentiated and restarted as any other."""

import ctypes
import subprocess

import numpy as np
import pytest
import torch
from crest_bmi import ArrayBmi, ArrayVariable, BmiComponent, BmiGrid

from crest_core import Sizes

SOURCE = """
#include <stdlib.h>

typedef struct { double rain, water, flow, k; } Model;

Model *bmi_initialize(void) {
    Model *model = calloc(1, sizeof(Model));
    model->water = 10.0;
    model->k = 0.1;
    return model;
}
void bmi_update(Model *model) {
    model->flow = model->k * model->water;
    model->water += model->rain - model->flow;
}
double *bmi_get_value_ptr(Model *model, const char *name) {
    switch (name[0]) {
        case 'r': return &model->rain;
        case 'w': return &model->water;
        case 'f': return &model->flow;
        default: return &model->k;
    }
}
void bmi_finalize(Model *model) { free(model); }
"""
UNITS = {"rain": "mm day-1", "flow": "mm day-1", "water": "mm", "k": "day-1"}
FIELDS = {"k": {"bounds": (0.01, 0.9)}, "rain": {"bounds": (0.0, 500.0)}}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the Python class of a reservoir that is compiled from C."""
    folder = tmp_path_factory.mktemp("compiled")
    source, library = folder / "reservoir.c", folder / "reservoir.so"
    source.write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    functions = ctypes.CDLL(str(library))
    functions.bmi_initialize.restype = ctypes.c_void_p
    functions.bmi_get_value_ptr.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    functions.bmi_get_value_ptr.restype = ctypes.POINTER(ctypes.c_double)
    functions.bmi_update.argtypes = functions.bmi_finalize.argtypes = (ctypes.c_void_p,)

    class Reservoir(ArrayBmi):
        """flow = k water, water' = water + rain - flow; its variables are memory of the library."""

        def get_component_name(self):
            return "compiled reservoir"

        def initialize(self, config_file):
            self.handle = functions.bmi_initialize()
            places = {name: functions.bmi_get_value_ptr(self.handle, name.encode()) for name in UNITS}
            variables = {
                name: ArrayVariable(np.ctypeslib.as_array(place, (1,)), UNITS[name]) for name, place in places.items()
            }
            self.begin(variables, [BmiGrid("scalar")], inputs=["rain"], outputs=["flow"], seconds=86400.0)

        def advance(self):
            functions.bmi_update(self.handle)

        def finalize(self):
            super().finalize()
            functions.bmi_finalize(self.handle)

    return Reservoir


def expected(water, rain, k):
    flows = []
    for drops in rain:
        flows.append(k * water)
        water = water + drops - flows[-1]
    return torch.stack(flows)


def test_a_compiled_model_gives_its_numbers_and_gradients(model):
    component = BmiComponent(model, states=("water",), parameters=("k",), fields=FIELDS)
    rain = torch.rand(6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 9.0
    runs = []
    for own in (True, False):
        drops = rain.clone().requires_grad_()
        if own:
            state = component.initial_state(Sizes({"cell": 3}, dtype=torch.float64))
            flow = component.sequence(state, {"rain": drops}, range(6))[0]["flow"]
        else:
            flow = expected(torch.full((3,), 10.0, dtype=torch.float64), drops, 0.1)
        flow.sum().backward()
        runs.append((flow.detach(), drops.grad))
    assert torch.allclose(*(flow for flow, _ in runs), rtol=1e-12)
    assert torch.allclose(*(gradient for _, gradient in runs), rtol=1e-6)
    assert float(component.physical.raw["k"].grad) != 0.0


def test_instances_of_a_compiled_model_share_nothing(model):
    first, second = model(), model()
    for one in (first, second):
        one.initialize("")
    first.set_value("rain", np.array([5.0]))
    first.update_until(2 * 86400.0)
    second.update()
    assert float(second.get_value_ptr("water")[0]) == 9.0
    assert float(first.get_value_ptr("water")[0]) == pytest.approx(0.9 * 14.0 + 5.0)
    for one in (first, second):
        one.finalize()
