"""The HBV model as an example: its laws, as a BMI model and as a component."""

import numpy as np
import pytest
import torch
from crest_bmi import HBV, BmiComponent

from crest_core import ComponentError, Connection, FieldSpec, Graph, Sizes, StepComponent
from crest_core.testing import TorchBucket


def model(text="", tmp_path=None):
    found = HBV()
    if text:
        (tmp_path / "hbv.yaml").write_text(text)
    found.initialize(str(tmp_path / "hbv.yaml") if text else "")
    return found


def test_water_is_conserved_in_every_step(tmp_path):
    hbv, generator = model("cells: 4", tmp_path), np.random.default_rng(5)
    storage = sum(hbv.v[name].copy() for name in HBV.state_names)
    for day in range(400):
        hbv.set_value("precipitation", generator.gamma(0.3, 12.0, 4))
        hbv.set_value("air_temperature", 8.0 * np.sin(day / 58.0) + generator.normal(0.0, 4.0, 4))
        hbv.set_value("potential_evaporation", np.full(4, 2.0))
        hbv.update()
        after = sum(hbv.v[name] for name in HBV.state_names)
        balance = hbv.v["precipitation"] - hbv.v["evapotranspiration"] - hbv.v["runoff"] - (after - storage)
        assert np.abs(balance).max() < 1e-9
        assert min(hbv.v[name].min() for name in HBV.state_names) >= 0.0
        storage = after.copy()


def test_snow_falls_melts_and_holds_water_as_the_equations_say():
    hbv = model()
    hbv.set_value("precipitation", [20.0])
    hbv.set_value("air_temperature", [-5.0])
    hbv.update()
    assert (hbv.v["snowpack"][0], hbv.v["runoff"][0]) == (20.0, 0.0)
    hbv.set_value("precipitation", [0.0])
    hbv.set_value("air_temperature", [2.0])
    hbv.update()
    melt = 3.5 * 2.0
    assert hbv.v["snowpack"][0] == pytest.approx(20.0 - melt)
    assert hbv.v["snow_liquid_water"][0] == pytest.approx(0.1 * (20.0 - melt))
    hbv.set_value("air_temperature", [-2.0])
    hbv.update()
    assert hbv.v["snow_liquid_water"][0] == pytest.approx(0.1 * 13.0 - 0.05 * 3.5 * 2.0)


def test_its_states_are_all_it_remembers_and_its_parameters_have_gradients():
    names = ("degree_day_factor", "upper_recession")
    hbv = BmiComponent(HBV, states=HBV.state_names, parameters=names, fields=HBV.fields)
    state = hbv.initial_state(Sizes({"cell": 2})) | {"snowpack": torch.full((2,), 50.0).double()}
    day = {"precipitation": torch.zeros(2), "potential_evaporation": torch.zeros(2)}
    outputs, _ = hbv.step(state, day | {"air_temperature": torch.tensor([2.0, 3.0])}, 0)
    outputs["snow_water_equivalent"].double().sum().backward()
    value = hbv.physical.values(torch.float64)["degree_day_factor"].item()
    melt = (2.0 + 3.0) * (1.0 + 0.1)  # less snow holds less water
    slope = -melt * (value - 0.5) * (10.0 - value) / 9.5
    assert hbv.physical.raw["degree_day_factor"].grad.item() == pytest.approx(slope, rel=1e-6)
    assert hbv.physical.raw["upper_recession"].grad.item() == 0.0


def test_a_wrong_configuration_names_the_file_and_the_key(tmp_path):
    with pytest.raises(ComponentError, match=r"hbv.yaml: 1 validation error for HBVConfig degree_day_faktor Extra"):
        model("degree_day_faktor: 3.0", tmp_path)
    with pytest.raises(ComponentError, match=r"HBV: configuration .*hbv.yaml: .*could not determine a constructor"):
        model("cells: !!python/object/apply:os.getcwd []", tmp_path)


class Warmth(StepComponent):
    """Air that cools as the snow of the day before grows."""

    inputs = (
        FieldSpec(name="air", units="K", standard_name="air_temperature"),
        FieldSpec(name="snow", units="mm", cell_methods="time: point"),
    )
    outputs = (FieldSpec(name="near_snow", units="K"),)

    def step(self, state, inputs, time):
        return {"near_snow": inputs["air"] - 0.01 * inputs["snow"]}, {}


def test_it_couples_in_a_loop_with_torch_components_and_gradients_pass_through():
    hbv = BmiComponent(HBV, states=HBV.state_names, fields=HBV.fields)
    links = (
        Connection("air.near_snow", "hbv.air_temperature"),
        Connection("hbv.snow_water_equivalent", "air.snow", lagged=True, initial=0.0),
    )
    graph = Graph({"air": Warmth(), "hbv": hbv, "bucket": TorchBucket()}, links)
    days, generator = 6, torch.Generator().manual_seed(1)
    inputs = {
        "air": 272.0 + torch.rand(days, 2, generator=generator) * 8,
        "precipitation": torch.rand(days, 2, generator=generator) * 20,
        "potential_evaporation": torch.ones(days, 2),
    }
    inputs = {name: inputs[name].double().requires_grad_() for name in (spec.name for spec in graph.inputs)}
    outputs, _ = graph(graph.initial_state(Sizes({"cell": 2}, dtype=torch.float64)), inputs, range(days))
    outputs["bucket_runoff"][-1].sum().backward()
    assert float(inputs["air"].grad.abs().sum()) > 0.0
    assert "hbv finite_difference" in repr(graph.gradient_report())


def test_a_depth_of_snow_has_the_standard_name_of_a_depth():
    hbv = BmiComponent(HBV, states=HBV.state_names, fields=HBV.fields)
    (swe,) = [spec for spec in hbv.outputs if spec.name == "snow_water_equivalent"]
    assert (swe.units, swe.standard_name) == ("mm", "lwe_thickness_of_surface_snow_amount")
