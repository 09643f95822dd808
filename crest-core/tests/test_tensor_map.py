"""Tensor maps: fields into packed tensors and back, by pattern, with scaling; errors by words."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crest_core import FieldError, Standardize, TensorMap

TIME, MEMBER, CELL, Y, X, WINDOW, LAYER = 5, 2, 3, 4, 6, 7, 3
SCALE = Standardize(mean={"rain": 2.0, "soil": 0.3}, std={"rain": 4.0, "soil": 0.1})


def numbered(*shape, offset=0.0):
    """Return a tensor in which every value says where it stands."""
    return torch.arange(float(torch.Size(shape).numel()), dtype=torch.float64).reshape(shape) + offset


def pair(*shape):
    return {"rain": numbered(*shape), "soil": numbered(*shape, offset=1e6)}


def entry(packed, *index):
    return float(packed[index])


@pytest.mark.parametrize(
    ("pattern", "shape", "packed_shape"),
    [
        ("time ... -> time (...) field", (TIME, MEMBER, CELL), (TIME, MEMBER * CELL, 2)),
        ("time ... -> (...) time field", (TIME, MEMBER, CELL), (MEMBER * CELL, TIME, 2)),
        ("time ... -> time ... field", (TIME, MEMBER, CELL), (TIME, MEMBER, CELL, 2)),
        ("time ... -> (time ...) field", (TIME, CELL), (TIME * CELL, 2)),
        ("time ... y x -> (time ...) field y x", (TIME, MEMBER, Y, X), (TIME * MEMBER, 2, Y, X)),
        ("time ... y x -> (...) field time y x", (TIME, MEMBER, Y, X), (MEMBER, 2, TIME, Y, X)),
        ("time window ... -> (time ...) window field", (TIME, WINDOW, CELL), (TIME * CELL, WINDOW, 2)),
        ("time ... layer cell -> time (... cell) (field layer)", (TIME, LAYER, CELL), (TIME, CELL, 2 * LAYER)),
        ("... layer cell -> (field layer) (... cell) 1", (MEMBER, LAYER, CELL), (2 * LAYER, MEMBER * CELL, 1)),
        ("... -> (...) field", (CELL,), (CELL, 2)),
    ],
)
def test_unpack_undoes_pack_for_every_kind_of_network(pattern, shape, packed_shape):
    tensor_map, fields = TensorMap("x", ("rain", "soil"), pattern), pair(*shape)
    packed, common = tensor_map.pack(fields)
    assert packed.shape == packed_shape and common == shape
    back = tensor_map.unpack(packed, common)
    assert list(back) == ["rain", "soil"]
    assert all(torch.equal(back[name], fields[name]) for name in fields)


def test_a_sequence_keeps_time_first_and_columns_side_by_side():
    fields = pair(TIME, MEMBER, CELL)
    packed, _ = TensorMap("x", ("soil", "rain")).pack(fields)
    assert entry(packed, 4, 1 * CELL + 2, 0) == entry(fields["soil"], 4, 1, 2)
    assert entry(packed, 4, 1 * CELL + 2, 1) == entry(fields["rain"], 4, 1, 2)


def test_an_image_stack_has_one_image_a_step_and_fields_as_channels():
    fields = pair(TIME, MEMBER, Y, X)
    packed, _ = TensorMap("x", ("rain", "soil"), "time ... y x -> (time ...) field y x").pack(fields)
    assert entry(packed, 3 * MEMBER + 1, 1, 2, 5) == entry(fields["soil"], 3, 1, 2, 5)


def test_an_image_series_has_one_film_a_member():
    fields = pair(TIME, MEMBER, Y, X)
    packed, _ = TensorMap("x", ("rain", "soil"), "time ... y x -> (...) field time y x").pack(fields)
    assert entry(packed, 1, 0, 3, 2, 5) == entry(fields["rain"], 3, 1, 2, 5)


def test_a_window_is_the_sequence_of_a_sequence_to_one_network():
    fields = pair(TIME, WINDOW, CELL)
    pattern = "time window ... -> (time ...) window field"
    packed, _ = TensorMap("x", ("rain", "soil"), pattern).pack(fields)
    assert entry(packed, 2 * CELL + 1, 6, 0) == entry(fields["rain"], 2, 6, 1)


def test_statics_are_repeated_over_time_and_windows():
    fields = {"rain": numbered(TIME, WINDOW, MEMBER, CELL), "height": numbered(MEMBER, CELL)}
    pattern = "time window ... -> (time ...) window field"
    tensor_map = TensorMap("x", ("rain", "height"), pattern, static=("height",))
    packed, shape = tensor_map.pack(fields)
    assert shape == (TIME, WINDOW, MEMBER, CELL)
    heights = packed[..., 1].reshape(TIME, MEMBER, CELL, WINDOW)
    assert torch.equal(heights, fields["height"][None, :, :, None].expand_as(heights))


def test_statics_alone_are_packed_without_time():
    packed, shape = TensorMap("s", ("height",), "... -> (...) field", static=("height",)).pack(
        {"height": numbered(MEMBER, CELL)}
    )
    assert packed.shape == (MEMBER * CELL, 1) and shape == (MEMBER, CELL)


def test_scaled_fields_have_their_own_mean_and_spread():
    tensor_map = TensorMap("x", ("rain", "soil"), "... -> (...) field", SCALE)
    values = {"rain": torch.tensor([2.0, 6.0]), "soil": torch.tensor([0.4, 0.3])}
    packed, _ = tensor_map.pack(values)
    assert torch.allclose(packed, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), atol=1e-6)


@given(
    value=st.floats(-1e4, 1e4),
    mean=st.floats(-1e3, 1e3),
    std=st.floats(1e-3, 1e3),
)
def test_unpacking_undoes_the_scaling(value, mean, std):
    tensor_map = TensorMap("x", ("a",), "... -> ... field", Standardize(mean={"a": mean}, std={"a": std}))
    x = torch.tensor(value, dtype=torch.float64)
    back = tensor_map.unpack(*tensor_map.pack({"a": x}))["a"]
    assert abs(float(back - x)) <= 1e-12 * (abs(value) + abs(mean))


def test_unpacked_fields_are_in_their_units_again():
    tensor_map, fields = TensorMap("x", ("rain", "soil"), scale=SCALE), pair(TIME, CELL)
    back = tensor_map.unpack(*tensor_map.pack(fields))
    assert all(torch.allclose(back[name], fields[name], rtol=1e-14, atol=1e-9) for name in fields)


def test_packing_is_on_the_gradient_tape_and_changes_no_field():
    fields = {name: value.requires_grad_() for name, value in pair(TIME, CELL).items()}
    packed, _ = TensorMap("x", ("rain", "soil"), scale=SCALE).pack(fields)
    packed.detach().zero_()
    assert torch.equal(fields["rain"].detach(), numbered(TIME, CELL))
    packed.sum().backward()
    assert torch.allclose(fields["rain"].grad, torch.full((TIME, CELL), 0.25, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(TIME, LAYER, CELL), (1, LAYER, CELL), (TIME, LAYER, 1), (TIME, 1, 1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("scale", [None, Standardize({"h": 1.0}, {"h": 2.0})])
def test_the_layout_of_a_field_in_memory_leaves_no_trace(shape, order, scale):
    tensor_map = TensorMap("h", ("h",), "... layer hidden cell -> (field layer) (... cell) hidden", scale)
    value = numbered(*shape)
    other = value.permute(order).contiguous().permute([order.index(i) for i in range(3)])
    packed, common = tensor_map.pack({"h": value})
    again, _ = tensor_map.pack({"h": other})
    assert torch.equal(packed, again) and packed.is_contiguous() and packed.stride() == again.stride()
    assert tensor_map.unpack(packed, common)["h"].is_contiguous()


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("time ... field", "'axes -> axes with field'"),
        ("time ... -> time (...)", "only on one side"),
        ("time ... field -> time (...) field", "duplicate dimension"),
        ("time ... -> time ((...) field", "brackets inside brackets"),
        ("(time cell) -> time cell field", "names and ... left of the arrow"),
        ("time ... -> time field", "only on one side"),
        ("time ... cell -> time (...) field", "only on one side"),
    ],
)
def test_a_pattern_that_loses_or_invents_an_axis_is_refused_when_built(pattern, reason):
    with pytest.raises(FieldError) as caught:
        TensorMap("x", ("rain",), pattern)
    assert "TensorMap x: pattern" in str(caught.value) and reason in str(caught.value)


@pytest.mark.parametrize(("fields", "static"), [((), ()), ("rain", ()), (("a", "a"), ()), (("a",), ("b",))])
def test_fields_are_distinct_names_with_the_statics_among_them(fields, static):
    with pytest.raises(FieldError, match=r"expected distinct field names such as \('rain',\)"):
        TensorMap("x", fields, static=static)


def test_a_field_without_scale_is_named():
    with pytest.raises(FieldError, match=r"no scale for \['wind'\]; it has \['rain', 'soil'\]"):
        TensorMap("x", ("rain", "wind"), scale=SCALE)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ({"a": 1.0}, {"a": 0.0}, r"not positive or not finite: \['a'\]"),
        ({"a": 1.0}, {"a": float("nan")}, r"not positive or not finite: \['a'\]"),
        ({"a": float("inf")}, {"a": 1.0}, r"not positive or not finite: \['mean of a'\]"),
        ({"a": 1.0}, {"b": 1.0}, r"mean of \['a'\] and std of \['b'\]"),
    ],
)
def test_a_scale_that_cannot_be_undone_is_refused(mean, std, words):
    with pytest.raises(FieldError, match=words):
        Standardize(mean, std)


def test_a_missing_field_is_named():
    with pytest.raises(FieldError, match=r"TensorMap x: missing \['soil'\], got \['rain'\]"):
        TensorMap("x", ("rain", "soil")).pack({"rain": numbered(TIME, CELL)})


def test_leading_dims_that_only_some_fields_have_are_never_matched_by_chance():
    fields = {"rain": numbered(CELL, CELL), "soil": numbered(CELL, CELL, CELL)}  # time = member = cell
    with pytest.raises(FieldError, match=r"expected fields of one shape.* got rain \(3, 3\), soil \(3, 3, 3\)"):
        TensorMap("x", ("rain", "soil")).pack(fields)


@pytest.mark.parametrize("shape", [(TIME, CELL), (CELL + 1,)])
def test_a_static_with_time_or_of_another_size_is_refused(shape):
    tensor_map = TensorMap("x", ("rain", "height"), static=("height",))
    with pytest.raises(FieldError, match=r"statics \['height'\] without the time axis, got rain \(5, 3\), height"):
        tensor_map.pack({"rain": numbered(TIME, CELL), "height": numbered(*shape)})


def test_a_field_with_too_many_or_too_few_axes_is_refused():
    tensor_map = TensorMap("x", ("rain",), "time y x -> time field y x")
    for shape in [(TIME, MEMBER, Y, X), (Y, X)]:
        with pytest.raises(FieldError, match=rf"fields of one shape 'time y x'.* got rain {re.escape(str(shape))}"):
            tensor_map.pack({"rain": numbered(*shape)})


def test_a_result_that_does_not_fit_says_what_it_is_and_what_it_should_be():
    with pytest.raises(FieldError, match=r"a tensor \(5, 3, 4\) does not fit .* with 2 fields of shape \(5, 3\)"):
        TensorMap("y", ("rain", "soil")).unpack(numbered(TIME, CELL, 4), (TIME, CELL))
