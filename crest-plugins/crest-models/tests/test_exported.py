"""Programs of torch.export are run from their JSON and raw tensors; what in them could execute never does."""

import hashlib
import io
import json
import os
import pickle
import zipfile

import pytest
import torch
from crest_models import ModelError, load_model
from torch import nn
from torch.export import Dim

from crest_core import ComponentError, Sizes

HEAD = """\
crest_model: 1
name: river
version: "1"
summary: Runoff from rain and warmth
backend: torch-export
weights: {{file: river.pt2, sha256: {sha256}}}
timestep: 1D
inputs:
  - {{name: rain, units: mm day-1, standard_name: precipitation_flux}}
  - {{name: warmth, units: degC, standard_name: air_temperature}}
outputs:
  - {{name: runoff, units: mm day-1, standard_name: runoff_flux}}
input_maps:
  - {{name: x, fields: [rain, warmth], pattern: "time ... -> time (...) field"}}
output_maps:
  - {{name: y, fields: [runoff], pattern: "time ... -> time (...) field"}}
scaling:
  rain: {{mean: 2.5, std: 5.0, units: mm day-1}}
  warmth: {{mean: 8.0, std: 7.0, units: degC}}
  runoff: {{mean: 1.0, std: 2.0, units: mm day-1}}
training: {{data: synthetic weather, period: [2001-01-01, 2003-01-01]}}
licence: CC-BY-4.0
citation: A report of 2026
"""
STATES = """\
states:
  - {name: h, units: "1", dims: [layer, hidden, cell], cell_methods: "time: point"}
  - {name: c, units: "1", dims: [layer, hidden, cell], cell_methods: "time: point"}
state_maps:
  - {name: h, fields: [h], pattern: "... layer hidden cell -> (field layer) (... cell) hidden"}
  - {name: c, fields: [c], pattern: "... layer hidden cell -> (field layer) (... cell) hidden"}
dim_sizes: {layer: 1, hidden: 4}
"""
TIME, BATCH = Dim("time"), Dim("batch")
CONFIG = "data/weights/model_weights_config.json"


class Network(nn.Module):
    """Columns, with most of what networks do: layers, norms, slices, sizes that are computed, dropout."""

    def __init__(self):
        super().__init__()
        self.first, self.last, self.norm = nn.Linear(2, 8), nn.Linear(8, 1), nn.LayerNorm(8)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("shift", torch.tensor([0.5, -0.5]))

    def forward(self, x):
        y = torch.tanh(self.first(x + self.shift))
        left, right = self.drop(self.norm(y)).chunk(2, dim=-1)
        y = torch.cat([left * torch.sigmoid(right), nn.functional.silu(right)], -1)
        return self.last(y.reshape(x.shape[0] * x.shape[1], 8)).reshape(x.shape[0], x.shape[1], 1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 4), nn.Linear(4, 1)

    def forward(self, x, h, c):
        y, state = self.lstm(x, (h, c))
        return self.head(y), state


def exported(network, inputs, shapes):
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(network, inputs, dynamic_shapes=shapes), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return Network()


@pytest.fixture(scope="module")
def program(network):
    return exported(network, (torch.zeros(5, 3, 2),), {"x": {0: TIME, 1: BATCH}})


@pytest.fixture
def write(tmp_path):
    def write(content, more=""):
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        (folder / "river.pt2").write_bytes(content)
        (folder / "model.yaml").write_text(HEAD.format(sha256=hashlib.sha256(content).hexdigest()) + more)
        return folder

    return write


def changed(program, member, change):
    """Return a program with one member changed or added; `change` takes and gives bytes."""
    source, target = zipfile.ZipFile(io.BytesIO(program)), io.BytesIO()
    names = source.namelist()
    root = names[0].partition("/")[0]
    with zipfile.ZipFile(target, "w") as archive:
        for name in dict.fromkeys([*names, f"{root}/{member}"]):
            content = source.read(name) if name in names else b""
            archive.writestr(name, change(content) if name == f"{root}/{member}" else content)
    return target.getvalue()


def in_json(change):
    def apply(content):
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return apply


def drivers(steps=7, cells=4):
    generator = torch.Generator().manual_seed(2)
    return {name: torch.rand(steps, cells, generator=generator) * 10 for name in ("rain", "warmth")}


def run(component, inputs, steps=7):
    cells = inputs["rain"].shape[-1]
    return component(component.initial_state(Sizes({**component.dim_sizes, "cell": cells})), inputs, range(steps))


def told(folder):
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return str(caught.value)


def test_a_program_gives_what_the_network_gives_at_any_length_with_gradients(network, program, write):
    component = load_model(write(program))
    inputs = drivers()
    x = torch.stack([(inputs["rain"] - 2.5) / 5.0, (inputs["warmth"] - 8.0) / 7.0], -1)
    network.eval()
    expected = network(x)[..., 0] * 2.0 + 1.0
    found = run(component, inputs)[0]["runoff"]
    assert torch.allclose(found, expected, atol=1e-6) and float(found.detach().std()) > 0.0
    found.sum().backward()
    assert len(list(component.parameters())) == 6
    assert all(parameter.grad is not None for parameter in component.parameters())


def test_dropout_acts_in_training_only(program, write):
    component, inputs = load_model(write(program)), drivers()
    assert torch.equal(run(component, inputs)[0]["runoff"], run(component, inputs)[0]["runoff"])
    component.train()
    assert not torch.equal(run(component, inputs)[0]["runoff"], run(component, inputs)[0]["runoff"])


def test_tied_weights_stay_one_parameter(write):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again, self.last = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)
            self.again.weight = self.first.weight

        def forward(self, x):
            return self.last(self.again(torch.tanh(self.first(x))))

    program = exported(Tied(), (torch.zeros(5, 3, 2),), {"x": {0: TIME, 1: BATCH}})
    component = load_model(write(program))
    assert len(list(component.parameters())) == 5
    run(component, drivers())[0]["runoff"].sum().backward()


def test_an_lstm_keeps_its_state_and_says_which_sizes_are_fixed(write):
    torch.manual_seed(3)
    recurrent = Recurrent().eval()
    example = (torch.zeros(5, 3, 2), torch.zeros(1, 3, 4), torch.zeros(1, 3, 4))
    program = exported(recurrent, example, {"x": {1: BATCH}, "h": {1: BATCH}, "c": {1: BATCH}})
    component, inputs = load_model(write(program, STATES)), drivers(5)
    x = torch.stack([(inputs["rain"] - 2.5) / 5.0, (inputs["warmth"] - 8.0) / 7.0], -1)
    found, state = run(component, inputs, 5)
    expected, (h, _) = recurrent(x, torch.zeros(1, 4, 4), torch.zeros(1, 4, 4))
    assert torch.allclose(found["runoff"], expected[..., 0] * 2.0 + 1.0, atol=1e-6)
    assert torch.allclose(state["h"], h.transpose(1, 2), atol=1e-6)
    with pytest.raises(
        ComponentError, match=r"exported for x of the shape \(5, s\d+, 2\), got \(7, 4, 2\); sizes that"
    ):
        run(component, drivers(7), 7)


def test_nothing_in_a_program_is_unpickled_or_evaluated(program, write, tmp_path):
    """torch.export.load of torch 2.13, and a call of what it gives, run each of the three."""
    gone = tmp_path / "gone"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(gone),)

    code = f"__import__('os').mkdir({str(gone)!r})"

    def poison(values):
        values["guards_code"] = [code]
        for about in values["graph_module"]["graph"]["tensor_values"].values():
            for size in about["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = code

    content = changed(program, "data/sample_inputs/model.pt", lambda _: pickle.dumps(Bomb()))
    content = changed(content, "models/model.json", in_json(poison))
    assert run(load_model(write(content)), drivers())[0]["runoff"].shape == (7, 4)
    assert not gone.exists()


@pytest.mark.parametrize(
    "member",
    ["data/constants/custom_obj_0", "data/aotinductor/model/code.so", "extra/x", "data/weights/model.pt", "../x"],
)
def test_members_that_could_execute_are_refused(program, write, member):
    assert "is not read; expected a graph as JSON and raw tensors only" in told(
        write(changed(program, member, lambda _: b"x"))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda config: config["first.weight"].update(use_pickle=True),
            "is a pickle or lies elsewhere, and is never opened",
        ),
        (lambda config: config["first.weight"].update(path_name="../../x"), "is a pickle or lies elsewhere"),
        (
            lambda config: config["first.weight"]["tensor_meta"].update(sizes=[{"as_int": 10**15}]),
            r"declares the shape",
        ),
        (
            lambda config: config["first.weight"]["tensor_meta"].update(strides=[{"as_int": 0}, {"as_int": 0}]),
            "not contiguous",
        ),
        (
            lambda config: config["first.bias"]["tensor_meta"].update(sizes=[{"as_int": 0}] * 10_000),
            "tensor 'first.bias' declares the shape",
        ),
        (lambda config: config["first.weight"]["tensor_meta"].update(dtype=99), "number type 99"),
        (lambda config: config["first.weight"].update(tensor_meta=None), "the program is damaged or made up"),
        (lambda config: config.pop("last.weight"), "needs the parameter 'last.weight', which the file does not hold"),
    ],
)
def test_weights_that_are_not_plain_are_refused(program, write, change, words):
    def apply(values):
        change(values["config"])

    assert words in told(write(changed(program, CONFIG, in_json(apply))))


@pytest.mark.parametrize(
    "target", ["torch.ops.aten.full.default", "torch.load", "torch.os.system", "_operator.attrgetter", "os.system"]
)
def test_operators_that_are_not_listed_are_named(program, write, target):
    def apply(values):
        values["graph_module"]["graph"]["nodes"][0]["target"] = target

    message = told(write(changed(program, "models/model.json", in_json(apply))))
    assert f"folder/model.yaml:6: weights: the program uses operators that are not run: {target}; export" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda program: program["schema_version"].update(major=99), "a program of schema 99, expected 8"),
        (lambda program: program["graph_module"]["graph"]["nodes"].pop(0), "before they are computed"),
        (lambda program: program["graph_module"].pop("signature"), "the program is damaged or made up: KeyError"),
        (lambda program: program["graph_module"]["signature"]["output_specs"].append({"buffer_mutation": {}}),
         "the program has a buffer_mutation: it changes its buffers or inputs"),
        (lambda program: program["graph_module"]["signature"]["input_specs"].append({"custom_obj": {}}),
         "the program needs a custom_obj, which is not read"),
        (lambda program: program["graph_module"]["graph"]["nodes"][0]["inputs"][0].update(arg={"as_graph": {}}),
         "an argument 'as_graph', which is not read"),
    ],
)  # fmt: skip
def test_graphs_that_are_odd_are_refused(program, write, change, words):
    assert words in told(write(changed(program, "models/model.json", in_json(change))))


def test_files_that_are_no_program_are_told(program, write):
    assert "no .pt2 file of torch.export.save, or cut off" in told(write(program[:500]))
    assert "it lacks ['archive_format'" in told(write(zip_of({})))
    assert "its members are compressed" in told(write(zip_of({"a/archive_format": b"pt2"}, zipfile.ZIP_DEFLATED)))


def test_maps_must_bear_the_names_of_the_program(program, write):
    folder = write(program)
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(text.replace("{name: x,", "{name: input,"))
    assert "the program takes ['x'], the input and state maps are called ['input']" in told(folder)


def zip_of(members, compression=zipfile.ZIP_STORED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()
