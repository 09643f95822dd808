"""Weights: what is written comes back bit for bit; what does not fit is told and changes nothing."""

import pickle
from dataclasses import replace

import pytest
import torch
from crest_torch import lstm_component
from safetensors.torch import load_file, save_file
from torch import nn

from crest_core import FieldError, FieldSpec, SafetensorsStore, Standardize, StoreError

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux")
SCALE = Standardize(mean={"rain": 3.0, "runoff": 0.1}, std={"rain": 6.0, "runoff": 2.0})


def model(seed, hidden=4, **changes):
    arguments = {"inputs": (RAIN,), "outputs": (RUNOFF,), "scale": SCALE, "hidden": hidden}
    return lstm_component(**(arguments | changes), generator=torch.Generator().manual_seed(seed))


def copies(component):
    return {name: value.clone() for name, value in component.state_dict().items()}


def same(component, weights):
    return all(torch.equal(value, weights[name]) for name, value in component.state_dict().items())


@pytest.fixture
def path(tmp_path):
    """A file that holds the weights of model(1)."""
    model(1).save_weights(tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_weights_come_back_bit_for_bit(path):
    one, two = model(1), model(2)
    assert not same(two, copies(one))
    two.load_weights(path)
    assert same(two, copies(one))
    assert same(model(3, weights=path), copies(one))


def test_another_program_reads_the_file_by_the_names_of_the_module(path):
    weights = load_file(path)
    assert set(weights) == set(model(1).module.state_dict())


def test_a_file_of_another_program_is_read_by_names_and_shapes(path, tmp_path):
    save_file(model(1).module.state_dict(), tmp_path / "other.safetensors")
    two = model(2)
    two.load_weights(tmp_path / "other.safetensors")
    assert same(two, copies(model(1)))


def test_weights_of_doubles_keep_the_kind_of_the_module(tmp_path):
    model(1).double().save_weights(tmp_path / "double.safetensors")
    two = model(2, weights=tmp_path / "double.safetensors")
    assert same(two, copies(model(1))) and two.module.head.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"inputs": (replace(RAIN, units="kg m-2 s-1"),)},
            r"fields.input.rain.units: 'mm day-1' in the file, 'kg m-2 s-1' here",
        ),
        (
            {"scale": Standardize(mean={"rain": 3.5, "runoff": 0.1}, std=SCALE.std)},
            r"maps.input.x.mean and std.rain: \[3.0, 6.0\] in the file, \[3.5, 6.0\] here",
        ),
        ({"timestep": "1h"}, r"timestep: '1D' in the file, '1h' here"),
        ({"prefix": "soil_"}, r"fields.state.h.dims: \['lstm_layer', 'lstm_hidden', 'cell'\] in the file"),
        ({"outputs": (replace(RUNOFF, cell_methods="time: sum"),)}, r"fields.output.runoff.cell_methods: 'time: mean'"),
    ],
)
def test_weights_of_other_fields_or_scaling_are_refused(path, changes, words):
    two = model(2, **changes)
    before = copies(two)
    with pytest.raises(FieldError, match="belong to other fields or scaling: .*" + words):
        two.load_weights(path)
    assert same(two, before)


def test_swapped_inputs_of_equal_scaling_are_noticed(tmp_path):
    warmth = FieldSpec(name="warmth", units="degC")
    scale = Standardize(
        mean={"rain": 1.0, "warmth": 1.0, "runoff": 0.0}, std={"rain": 1.0, "warmth": 1.0, "runoff": 1.0}
    )
    model(1, inputs=(RAIN, warmth), scale=scale).save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(
        FieldError, match=r"maps.input.x.fields: \['rain', 'warmth'\] in the file, \['warmth', 'rain'\]"
    ):
        model(2, inputs=(warmth, RAIN), scale=scale, weights=tmp_path / "weights.safetensors")


def test_bounds_and_remarks_may_change(path):
    changed = replace(RAIN, bounds=(0.0, 900.0), doc="from the gauge")
    assert same(model(2, inputs=(changed,), weights=path), copies(model(1)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("head.bias"), r"missing \['head.bias'\], unknown \[\]; expected the names of its state_dict"),
        (lambda w: w.update(extra=torch.ones(1)), r"missing \[\], unknown \['extra'\]"),
        (
            lambda w: w.update({"head.bias": torch.ones(2)}),
            r"head.bias expected \(1,\) torch.float32, got \(2,\) torch.float32",
        ),
        (lambda w: w.update({"head.bias": torch.ones(1, dtype=torch.int64)}), r"torch.float32, got \(1,\) torch.int64"),
        (lambda w: w.update({"head.bias": torch.tensor([torch.nan])}), r"\['head.bias'\] hold nan or infinity"),
    ],
)
def test_weights_that_do_not_fit_the_module_change_nothing(tmp_path, change, words):
    weights = model(1).module.state_dict()
    change(weights)
    save_file(weights, tmp_path / "weights.safetensors")
    two = model(2)
    before = copies(two)
    with pytest.raises(StoreError, match=words):
        two.load_weights(tmp_path / "weights.safetensors")
    assert same(two, before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"weights .*nowhere.safetensors: no such file"):
        model(1, weights=tmp_path / "nowhere.safetensors")


class Trap:
    """Whoever unpickles this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_is_never_opened(tmp_path, write):
    write(Trap(tmp_path / "sprung"), tmp_path / "weights.pt")
    with pytest.raises(StoreError, match=r"looks like a pickle of torch.save, which can run code and is never loaded"):
        model(1, weights=tmp_path / "weights.pt")
    assert not (tmp_path / "sprung").exists()


def test_other_and_damaged_files_are_told(path, tmp_path):
    (tmp_path / "note.txt").write_text("weights")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:-100])
    for file in (tmp_path / "note.txt", damaged):
        with pytest.raises(StoreError, match=r"cannot be read: it is no safetensors file, or damaged"):
            model(1, weights=file)


def test_a_restart_is_not_taken_for_weights(tmp_path):
    SafetensorsStore(tmp_path / "restart.safetensors").save({"h": torch.zeros(1)}, {"time": "2001-01-01"})
    with pytest.raises(StoreError, match="holds a restart, not weights"):
        model(1, weights=tmp_path / "restart.safetensors")


def test_a_module_that_keeps_more_than_tensors_cannot_be_written(tmp_path):
    class Odd(nn.Identity):
        def get_extra_state(self):
            return {"note": "text"}

    component = model(1)
    component.module = Odd()
    with pytest.raises(StoreError, match=r"safetensors holds tensors only, not \['_extra_state'\]"):
        component.save_weights(tmp_path / "weights.safetensors")
