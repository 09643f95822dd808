"""Files from anywhere: what is damaged, hostile or not understood is refused before it can do anything."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from crest_onnx import read_model
from onnx import TensorProto, helper, numpy_helper

from crest_core import ComponentError, CrestError, FieldError, StoreError


def weights(model: onnx.ModelProto) -> TensorProto:
    return model.graph.initializer[0]


def outside(tensor: TensorProto, location: str, **entries: object) -> None:
    """Say that the numbers of a tensor lie elsewhere."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))


def secret(folder: Path) -> Path:
    """Return a file outside the model's folder that the model would like to read, as many bytes as the weights."""
    path = folder.parent / f"{folder.name}-secret.bin"
    path.write_bytes(np.zeros((3, 6), dtype=np.float32).tobytes())
    return path


def test_a_good_file_is_read(bench):
    assert len(read_model(bench.columns().path).graph.node) == 4


def test_no_file_and_a_folder_are_refused(bench):
    for path in (bench.folder / "absent.onnx", bench.folder):
        with pytest.raises(StoreError, match="no such file"):
            read_model(path)


def test_the_hash_is_checked_before_the_file_is_parsed(bench):
    network = bench.columns()
    digest = hashlib.sha256(network.path.read_bytes()).hexdigest()
    read_model(network.path, digest.upper())
    network.path.write_bytes(b"\xff" * 100)
    with pytest.raises(StoreError, match=f"expected sha256 {digest}, got .*; the file was changed, or is another"):
        read_model(network.path, digest)


def test_a_file_that_is_too_large_is_not_read(bench):
    path = bench.columns().path
    with pytest.raises(StoreError, match=f"{path.stat().st_size} bytes, at most 100"):
        read_model(path, largest=100)


def test_a_file_cut_off_anywhere_is_refused(bench):
    path = bench.gru().path
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 7):
        path.write_bytes(content[:length])
        with pytest.raises(CrestError, match="no ONNX file, or cut off|is not valid ONNX|opset|it is damaged"):
            read_model(path)


def test_other_files_are_refused(bench):
    path = bench.folder / "model.onnx"
    for content in (b"", b"PK\x03\x04" + bytes(50), b"\x80\x04\x95" + bytes(50), b"model: yes\n", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(StoreError, match="is no ONNX file, or cut off"):
            read_model(path)


def test_bytes_changed_at_random_are_an_error_of_ours_or_a_model(bench):
    path = bench.gru().path
    content, random = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[int(random.integers(len(content)))] = int(random.integers(256))
        path.write_bytes(bytes(changed))
        try:
            read_model(path)
        except CrestError:
            refused += 1
    assert refused > 20  # most of the file is weights, where any byte will do


@pytest.mark.parametrize("version", [8, 27, 0])
def test_an_opset_outside_the_known_range_is_refused(bench, version):
    network = bench.columns()
    model = network.model()
    model.opset_import[0].version = version
    with pytest.raises(ComponentError, match=rf"expected one opset from 9 to 26, got \[{version}\]; convert it"):
        read_model(network.written(model).path)


def test_operators_of_an_unknown_domain_are_refused(bench):
    network = bench.columns()
    model = network.model()
    model.opset_import.append(helper.make_opsetid("org.example.custom", 1))
    with pytest.raises(ComponentError, match=r"\['org.example.custom'\] need a library of their own"):
        read_model(network.written(model).path)


def test_an_operator_that_the_standard_does_not_have_is_refused(bench):
    network = bench.columns()
    model = network.model()
    model.graph.node[2].op_type = "Tank"
    with pytest.raises(ComponentError, match="is not valid ONNX: .*Tank"):
        read_model(network.written(model).path)


def test_a_function_of_the_file_is_refused(bench):
    """They may call each other, and grow without limit when they are written out."""
    network = bench.columns()
    model = network.model()
    node = helper.make_node("Tanh", ["a"], ["b"])
    model.functions.append(helper.make_function("", "Twice", ["a"], ["b"], [node], model.opset_import))
    with pytest.raises(ComponentError, match="functions of its own, .* are not read"):
        read_model(network.written(model).path)


def test_a_giant_initialiser_is_refused_before_it_is_allocated(bench):
    network = bench.columns()
    for dims in ([2**40], [2**31, 2**31, 2**31], [3, -6]):
        model = network.model()
        weights(model).dims[:] = dims
        with pytest.raises(ComponentError, match="tensor 'w1' declares the shape .*; expected at most"):
            read_model(network.written(model).path)


def test_a_giant_value_that_the_graph_would_make_is_refused(bench):
    network = bench.columns()
    model = network.model()
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**20, 2**20]), "huge"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["huge"], ["zeros"]))
    model.graph.node.insert(1, helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0))
    model.graph.node[2].input[0] = "shifted"
    model.graph.node.insert(2, helper.make_node("Add", ["x", "zero"], ["shifted"]))
    with pytest.raises(ComponentError, match=r"the value 'zeros' would have the shape \[1048576, 1048576\]"):
        read_model(network.written(model).path)


def test_weights_of_another_length_than_their_shape_are_refused(bench):
    network = bench.columns()
    model = network.model()
    weights(model).raw_data = weights(model).raw_data[:-4]
    with pytest.raises(StoreError, match=r"tensor 'w1' of shape \[3, 6\] needs 72 bytes, the file has 68"):
        read_model(network.written(model).path)


def test_shapes_that_do_not_fit_each_other_are_refused(bench):
    network = bench.columns()
    model = network.model()
    model.graph.initializer[2].CopyFrom(numpy_helper.from_array(np.ones((5, 1), np.float32), "w2"))
    with pytest.raises(ComponentError, match="is not valid ONNX: .*MatMul"):
        read_model(network.written(model).path)


def test_a_number_type_that_does_not_exist_is_refused(bench):
    network = bench.columns()
    model = network.model()
    weights(model).data_type = 999
    with pytest.raises(ComponentError, match="unknown number type 999"):
        read_model(network.written(model).path)


def test_external_data_in_the_folder_are_taken_in(bench):
    network = bench.columns()
    whole, model = network.model(), network.model()
    (bench.folder / "sub").mkdir()
    (bench.folder / "sub" / "w.bin").write_bytes(b"head" + weights(model).raw_data + b"tail")
    outside(weights(model), "sub/w.bin", offset=4, length=72)
    read = read_model(network.written(model).path)
    assert weights(read).raw_data == weights(whole).raw_data
    assert weights(read).data_location == TensorProto.DEFAULT and not weights(read).external_data
    network.written(model).component()


def refused(network, location, words, **entries):
    model = network.model()
    outside(weights(model), location, **entries)
    with pytest.raises(StoreError, match=words):
        network.written(model).component()


@pytest.mark.parametrize("kind", ["absolute", "above", "hidden above", "empty", "dot", "dots", "windows", "scheme"])
def test_external_data_outside_the_folder_are_refused(bench, kind):
    target = secret(bench.folder)
    location = {
        "absolute": str(target),
        "above": f"../{target.name}",
        "hidden above": f"sub/../../{target.name}",
        "empty": "",
        "dot": ".",
        "dots": "././",
        "windows": f"..\\{target.name}",
        "scheme": f"file://{target}",
    }[kind]
    (bench.folder / "sub").mkdir()
    refused(bench.columns(), location, "the external data of tensor 'w1' lie at .*; expected a file inside the folder")


def test_external_data_behind_a_symbolic_link_are_refused(bench):
    (bench.folder / "w.bin").symlink_to(secret(bench.folder))
    refused(bench.columns(), "w.bin", "lie at 'w.bin', which is no file reached without links")


def test_external_data_in_a_linked_folder_are_refused(bench):
    target = secret(bench.folder)
    (bench.folder / "sub").symlink_to(target.parent, target_is_directory=True)
    refused(bench.columns(), f"sub/{target.name}", "which is no file reached without links")


def test_external_data_behind_a_hard_link_are_refused(bench):
    os.link(secret(bench.folder), bench.folder / "w.bin")
    refused(bench.columns(), "w.bin", "'w.bin' is no regular file of its own but a link, a folder or a device")


def test_external_data_in_a_folder_or_in_the_model_itself_are_refused(bench):
    (bench.folder / "sub").mkdir()
    refused(bench.columns(), "sub", "'sub' is no regular file of its own but a link, a folder or a device")
    network = bench.columns()
    model = network.model()
    outside(weights(model), f"./{network.path.name}", length=72)
    network.path.write_bytes(model.SerializeToString())
    with pytest.raises(StoreError, match=r"lie at '\./network.onnx', which is the model itself; expected a file of"):
        network.component()


def test_external_data_of_a_pipe_do_not_hang(bench):
    os.mkfifo(bench.folder / "w.bin")
    refused(bench.columns(), "w.bin", "is no regular file of its own but a link, a folder or a device")


def test_external_data_that_are_missing_short_or_nonsense_are_refused(bench):
    network = bench.columns()
    (bench.folder / "w.bin").write_bytes(bytes(72))
    refused(network, "v.bin", "which is no file reached without links: No such file")
    refused(network, "w.bin", "'w.bin' has 72 bytes, 76 are asked for", offset=4, length=72)
    refused(network, "w.bin", "needs 72 bytes, the file has 40", length=40)
    refused(network, "w.bin", "offset '-4' is no number", offset=-4)
    refused(network, "w.bin", "length 'all' is no number", length="all")


def test_external_data_are_not_covered_by_the_hash_of_one_file(bench):
    network = bench.columns()
    (bench.folder / "w.bin").write_bytes(bytes(72))
    model = network.model()
    outside(weights(model), "w.bin")
    changed = network.written(model)
    digest = hashlib.sha256(changed.path.read_bytes()).hexdigest()
    with pytest.raises(StoreError, match="has external data, which the sha256 of one file does not cover"):
        changed.component(sha256=digest)


def test_external_data_count_towards_the_largest_size(bench):
    network = bench.columns()
    (bench.folder / "w.bin").write_bytes(bytes(72))
    model = network.model()
    outside(weights(model), "w.bin")
    path = network.written(model).path
    with pytest.raises(StoreError, match="72 bytes more than the largest size"):
        read_model(path, largest=path.stat().st_size + 71)


def test_external_data_inside_an_attribute_are_held_to_the_same_rules(bench):
    target = secret(bench.folder)
    network = bench.columns()
    model = network.model()
    value = numpy_helper.from_array(np.zeros((3, 6), np.float32), "inner")
    outside(value, f"../{target.name}")
    model.graph.initializer.remove(weights(model))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w1"], value=value))
    with pytest.raises(StoreError, match="the external data of tensor 'inner' lie at"):
        network.written(model).component()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 2}',
        '{"format": 1}',
        '{"format": 1, "dim_sizes": {"a": "x"}}',
        '{"format": 1, "dim_sizes": {}, "inputs": [{"name": "rain", "units": "furlong of nothing"}]}',
        '{"format": 1, "dim_sizes": {}, "inputs": [{"name": "rain", "units": "1", "code": "print(1)"}]}',
        "[" * 100000,
    ],
)
def test_a_field_mapping_that_cannot_be_used_is_refused(bench, text):
    network = bench.columns()
    model = network.model()
    model.metadata_props.add(key="crest", value=text)
    empty = dict.fromkeys(("inputs", "outputs", "input_maps", "output_maps"))
    with pytest.raises(FieldError, match="the field mapping in its metadata cannot be used"):
        network.written(model).component(**empty)
