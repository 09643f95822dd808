"""export_onnx: what leaves is what was trained, at every length, and comes back as it was."""

import onnx
import pytest
import torch
from crest_onnx import export_onnx, onnx_component
from torch import nn

from crest_core import ComponentError, FieldSpec, NoGradient, Sizes, Standardize, TensorMap, registry
from crest_core.testing import TorchBucket, relative_difference

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux", bounds=(0.0, 500.0))
HEIGHT = FieldSpec(name="height", units="m", static=True)
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux")
SCALE = Standardize(
    mean={"rain": 3.0, "height": 500.0, "runoff": 1.0}, std={"rain": 6.0, "height": 300.0, "runoff": 2.0}
)
BARE = "time ... -> time ... field"


def torch_component(module, inputs=(RAIN,), pattern="time ... -> time (...) field", **options):
    """Return a component of the backend torch with one input tensor x and one result y."""
    names = tuple(spec.name for spec in inputs)
    maps = {
        "input_maps": (TensorMap("x", names, pattern, SCALE),),
        "output_maps": (TensorMap("y", ("runoff",), BARE, SCALE),),
    }
    if "(...)" in pattern:
        maps["output_maps"] = (TensorMap("y", ("runoff",), pattern, SCALE),)
    return registry().load("backends", "torch")(module, inputs=inputs, outputs=(RUNOFF,), **(maps | options))


def lstm(**options):
    build = registry().load("backends", "torch-lstm")
    generator = torch.Generator().manual_seed(3)
    return build(
        inputs=(RAIN, HEIGHT), outputs=(RUNOFF,), scale=SCALE, hidden=5, layers=2, generator=generator, **options
    )


class Dense(nn.Module):
    """Takes x of any rank."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x):
        return self.inner(x)


class Convolution(nn.Module):
    """A map of every step."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=1), nn.Conv2d(3, 1, 1)
        )

    def forward(self, x):
        return self.inner(x)


def images():
    rain, runoff = (FieldSpec(name=s.name, units=s.units, dims=("y", "x")) for s in (RAIN, RUNOFF))
    pattern = "time ... y x -> (time ...) field y x"
    return registry().load("backends", "torch")(
        Convolution(),
        inputs=(rain,),
        outputs=(runoff,),
        input_maps=(TensorMap("x", ("rain",), pattern, SCALE),),
        output_maps=(TensorMap("result", ("runoff",), pattern, SCALE),),
    )


class Gated(nn.Module):
    """A GRU and a head, in the way torch's own recurrent networks are called."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 5), nn.Linear(5, 1)

    def forward(self, x, hx):
        features, hx = self.gru(x, hx)
        return self.head(features), hx


def gru():
    state = FieldSpec(name="memory", units="1", dims=("layer", "hidden", "cell"), cell_methods="time: point")
    return torch_component(
        Gated(),
        states=(state,),
        state_maps=(TensorMap("h", ("memory",), "... layer hidden cell -> (field layer) (... cell) hidden"),),
        dim_sizes={"layer": 1, "hidden": 5},
    )


def dense():
    return torch_component(Dense(), pattern=BARE)


@pytest.mark.parametrize("build", [lstm, dense, images, gru])
@pytest.mark.parametrize("opset", [17, 20])
def test_an_exported_component_comes_back_the_same_at_other_lengths_members_and_cells(build, opset, tmp_path):
    component = build()
    path = tmp_path / "model.onnx"
    export_onnx(component, path, opset=opset)
    back = onnx_component(path)
    assert (back.inputs, back.outputs, back.states) == (component.inputs, component.outputs, component.states)
    assert (back.timestep, dict(back.dim_sizes)) == (component.timestep, dict(component.dim_sizes))
    assert onnx.load(path).opset_import[0].version == opset
    generator = torch.Generator().manual_seed(8)
    for days, lead, size in ((7, (), 4), (1, (2,), 1), (23, (3,), 6)):
        dims = {"cell": size, "y": size + 1, "x": size + 3}
        inputs = {}
        for spec in component.inputs:
            shape = (*(() if spec.static else (days,)), *lead, *(dims[name] for name in spec.dims))
            inputs[spec.name] = 10 * torch.rand(shape, generator=generator)
        with torch.no_grad():
            (a, s), (b, t) = (
                one(one.initial_state(Sizes(dims, lead)), inputs, range(days)) for one in (component, back)
            )
        assert relative_difference(b["runoff"], a["runoff"]) < 2e-6
        assert all(relative_difference(t[name], s[name]) < 2e-6 for name in s)


def test_what_comes_back_can_be_trained_and_exported_again(tmp_path):
    export_onnx(lstm(), tmp_path / "first.onnx")
    component = onnx_component(tmp_path / "first.onnx")
    inputs = {"rain": torch.full((6, 2), 4.0), "height": torch.full((2,), 300.0)}
    start = component.initial_state(Sizes({"cell": 2}))
    optimiser = torch.optim.SGD(component.parameters(), lr=0.05)
    component(start, inputs, range(6))[0]["runoff"].square().mean().backward()
    optimiser.step()
    export_onnx(component, tmp_path / "second.onnx")
    with torch.no_grad():
        first, trained, second = (
            one(start, inputs, range(6))[0]["runoff"]
            for one in (onnx_component(tmp_path / "first.onnx"), component, onnx_component(tmp_path / "second.onnx"))
        )
    assert relative_difference(trained, first) > 1e-3
    assert relative_difference(second, trained) < 2e-6


def test_a_black_box_leaves_with_its_fields(bench, tmp_path):
    """An ONNX file that knew nothing of fields gets them, whatever its operators."""
    component = bench.gru().component(gradient=NoGradient())
    export_onnx(component, tmp_path / "model.onnx")
    back = onnx_component(tmp_path / "model.onnx")
    assert (back.inputs, back.states) == (component.inputs, component.states)
    inputs, start = bench.forcing(back, 5, dtype=torch.float32), bench.start(back, dtype=torch.float32)
    with torch.no_grad():
        first, second = (one(start, inputs, range(5))[0]["runoff"] for one in (component, back))
    assert torch.equal(first, second)


def test_dropout_is_off_in_the_file_and_as_it_was_in_the_component(tmp_path):
    component = lstm(dropout=0.5)
    component.train()
    export_onnx(component, tmp_path / "model.onnx")
    assert component.training and component.module.training
    assert "Dropout" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}


class FixedLength(nn.Module):
    """Multiplies by a weight for each of the steps that it saw when it was traced."""

    def forward(self, x):
        return x * torch.linspace(0.5, 1.5, len(x)).reshape(-1, 1, 1)


class Branches(nn.Module):
    """Does something else where there are many steps; a trace sees one way only."""

    def forward(self, x):
        return x + 1.0 if len(x) > 8 else x


def test_a_length_that_tracing_fixed_is_found_and_nothing_is_written(tmp_path):
    with pytest.raises(ComponentError, match="export of FixedLength: onnxruntime cannot take|a size was fixed"):
        export_onnx(torch_component(FixedLength()), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_branch_on_the_length_is_found_and_nothing_is_written(tmp_path):
    words = "export of Branches, output y at 12 steps and 3 columns: file and module differ by 1"
    with pytest.raises(ComponentError, match=words):
        export_onnx(torch_component(Branches()), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_components_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(ComponentError, match="export of TorchBucket: expected a component of the backend 'torch'"):
        export_onnx(TorchBucket(), tmp_path / "model.onnx")


def test_an_output_map_named_as_an_input_is_refused(tmp_path):
    component = torch_component(Dense(), output_maps=(TensorMap("x", ("runoff",)),))
    with pytest.raises(ComponentError, match=r"inputs \['x'\] and outputs \['x'\] need different names"):
        export_onnx(component, tmp_path / "model.onnx")


class Unknown(nn.Module):
    """Uses what ONNX has no operator for."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_what_onnx_cannot_say_is_told(tmp_path):
    with pytest.raises(ComponentError, match="export of Unknown: .*special_bessel_j0"):
        export_onnx(torch_component(Unknown()), tmp_path / "model.onnx")
