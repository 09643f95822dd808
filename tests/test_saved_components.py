"""The trained components of TERRAHydro travel as model folders: the same numbers to the last bit, and every setting."""

import pytest
import torch
from crest_models import load_model, save_model

from crest_core import Sizes
from crest_core.plugins import registry

ABOUT = {
    "name": "trained",
    "version": "0.1",
    "summary": "Not trained",
    "licence": "CC0-1.0",
    "citation": "none",
    "training": {"data": "none", "period": ["2001-01-01", "2003-01-01"]},
}
PLACES = {"aridity": "1", "elev_mean": "m", "slope_mean": "m km-1", "p_mean": "mm day-1"}
COMPONENTS = [
    ("streamflow-lstm", {"hidden": 6, "attributes": PLACES}),
    ("streamflow-lstm", {"hidden": 6, "attributes": {}, "head": "cmal", "mixture": 2, "lagged": True, "hold_out": 0.2}),
    ("streamflow-lstm", {"hidden": 4}),
    ("streamflow-ea-lstm", {"hidden": 6, "attributes": PLACES, "head": "gaussian-mixture"}),
    ("streamflow-hbv", {"units": 2, "attributes": PLACES}),
    ("streamflow-hbv", {"units": 2, "snow": "external"}),
    ("snow-degree-day", {"parameters": {"degree_day_factor": 3.5}, "drivers": ["shortwave_down", "day_of_year"]}),
    ("snow-degree-day", {"bands": 3, "attributes": PLACES, "hidden": 4}),
    ("snow-degree-day", {"bands": [-300.0, 0.0, 400.0], "temperature": "mean", "half_range": 5.0}),
    ("snow-lstm", {"hidden": 4, "bands": 2, "attributes": PLACES}),
]


def trained(name, settings):
    """Return a component with weights and statistics as training leaves them."""
    generator = torch.Generator().manual_seed(1)
    component = registry().load("components", name)(**settings, generator=generator)
    with torch.no_grad():
        for parameter in component.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    fields = [spec.name for spec in component.inputs]
    component.standardise(dict.fromkeys(fields, 1.5), dict.fromkeys(fields, 3.25))
    return component.eval()


def answer(component, inputs):
    sizes = Sizes({**component.dim_sizes, "cell": 3})
    with torch.no_grad():
        return component(component.initial_state(sizes), inputs, range(12))


@pytest.mark.parametrize(("name", "settings"), COMPONENTS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_trained_component_comes_back_bit_for_bit(tmp_path, name, settings):
    component = trained(name, settings)
    generator = torch.Generator().manual_seed(2)
    inputs = {
        spec.name: 5.0 * torch.rand((3,) if spec.static else (12, 3), generator=generator) for spec in component.inputs
    }
    same = load_model(save_model(component, tmp_path / "model", **ABOUT, use=name, settings=settings)).eval()
    (ours, end), (theirs, after) = answer(component, inputs), answer(same, inputs)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert all(torch.equal(end[key], after[key]) for key in end)
    assert {*component.state_dict()} == {*same.state_dict()}
