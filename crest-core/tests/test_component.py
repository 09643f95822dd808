"""Components and their parameters: sizes, states, bounds kept by reparametrisation."""

import pytest
import torch
from safetensors.torch import save_file

from crest_core import FieldSpec, PhysicalParameters, Sizes
from crest_core.component import StepComponent
from crest_core.errors import StateError, StoreError
from crest_core.testing import SmallLSTM, TorchBucket
from crest_fields.errors import FieldError

K = FieldSpec(name="k", units="mm day-1", dims=(), static=True, bounds=(1.0, 500.0))
FREE = FieldSpec(name="offset", units="K", dims=(), static=True)


def test_states_without_initial_state_say_what_to_write():
    class Forgets(StepComponent):
        states = (FieldSpec(name="swe", units="kg m-2"),)

        def step(self, state, inputs, time):
            return {}, state

    with pytest.raises(StateError, match=r"Forgets declares the states \['swe'\] but no initial_state\(sizes\)"):
        Forgets().initial_state(Sizes({"cell": 1}))


def test_a_component_without_states_needs_no_initial_state():
    class Flow(StepComponent):
        def step(self, state, inputs, time):
            return {}, {}

    assert Flow().initial_state(Sizes({"cell": 1})) == {}


def test_sizes_make_tensors_of_lead_and_own_dims():
    sizes = Sizes({"hidden": 6, "cell": 4}, lead=(2,), dtype=torch.float64)
    state = SmallLSTM().initial_state(sizes)
    assert state["h"].shape == (2, 6, 4)
    assert state["h"].dtype == torch.float64


def test_physical_parameters_return_the_values_given_and_stay_within_bounds():
    parameters = PhysicalParameters((K, FREE), {"k": 50.0, "offset": -3.0}).double()
    assert parameters.values()["k"].item() == pytest.approx(50.0, rel=1e-6)
    assert parameters.values()["offset"].item() == -3.0
    with torch.no_grad():
        for raw in parameters.raw.values():
            raw.fill_(1e4)
    assert parameters.values()["k"].item() == 500.0
    parameters.assign({"k": 7.0})
    assert parameters.values()["k"].item() == pytest.approx(7.0, rel=1e-6)


def test_a_value_on_or_outside_the_bounds_is_refused():
    for value in (0.5, 500.0):
        with pytest.raises(FieldError, match=rf"parameter k \[mm day-1\]: {value} is not inside \(1.0, 500.0\)"):
            PhysicalParameters((K,), {"k": value})


def test_parameters_must_be_declared_and_given():
    with pytest.raises(FieldError, match=r"parameters \['k', 'kk'\] are declared or given, but not both"):
        PhysicalParameters((K,), {"kk": 3.0})


def test_gradients_reach_parameters_through_their_bounds():
    bucket = TorchBucket()
    outputs, _ = bucket(bucket.initial_state(Sizes({"cell": 1})), {
        "precipitation": torch.full((5, 1), 9.0), "evapotranspiration": torch.ones(5, 1)}, range(5))  # fmt: skip
    outputs["runoff"].sum().backward()
    assert all(float(p.grad.abs()) > 0 for p in bucket.parameters())


def test_weights_are_read_from_safetensors_and_must_fit(tmp_path):
    trained, fresh = TorchBucket(capacity=77.0), TorchBucket()
    save_file(trained.state_dict(), tmp_path / "bucket.safetensors")
    fresh.load_weights(tmp_path / "bucket.safetensors")
    assert fresh.physical.values()["capacity"].item() == pytest.approx(77.0, rel=1e-5)
    with pytest.raises(StoreError, match=r"bucket.safetensors do not fit SmallLSTM: .*Missing key"):
        SmallLSTM().load_weights(tmp_path / "bucket.safetensors")
    with pytest.raises(StoreError, match=r"none.safetensors do not fit"):
        fresh.load_weights(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"pickle")
    with pytest.raises(StoreError, match=r"bad.safetensors do not fit"):
        fresh.load_weights(tmp_path / "bad.safetensors")


def test_half_open_bounds_of_a_parameter_are_refused():
    spec = FieldSpec(name="rate", units="mm day-1", dims=(), static=True, bounds=(0.0, float("inf")))
    with pytest.raises(FieldError, match=r"parameter rate: bounds \(0.0, inf\) are half open; give two finite ones"):
        PhysicalParameters((spec,), {"rate": 5.0})


def test_a_notebook_shows_the_fields_of_a_component():
    class Snow(TorchBucket):
        inputs = (
            FieldSpec(
                name="t", units="K", standard_name="air_temperature", window=5, bounds=(200.0, 340.0), doc="<2 m"
            ),
            FieldSpec(name="top", units="1", standard_name="soil_moisture", vertical=(0.0, 0.2), static=True),
        )

    html = Snow()._repr_html_()
    assert html.startswith("<b>Snow</b> (timestep 1D, gradient policy autograd)<table>")
    cells = ("inputs", "t", "K", "air_temperature", "cell", "mean, 5 steps", "200 to 340", "&lt;2 m")
    assert "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" in html
    assert "<td>soil_moisture (0-0.2 m)</td><td>cell</td><td>static</td>" in html
    assert "<td>states</td><td>storage</td><td>kg m-2</td><td>mass_content_of_water_in_soil</td>" in html
    assert "<td>parameters</td><td>capacity</td><td>mm</td><td></td><td></td><td>static</td><td>10 to 500</td>" in html
