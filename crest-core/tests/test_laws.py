"""The testers are tested: each law lets a right gradient pass and catches a wrong one."""

import pytest
import torch

from crest_core.errors import GradientError
from crest_core.testing import affine_error, dot_product_error, materialised_vjp, relative_difference, taylor_orders

MATRIX = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
POINT = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)


class Doubled(torch.autograd.Function):
    """2 x, whose author wrote a slope of 5."""

    @staticmethod
    def forward(ctx, x):
        return 2.0 * x

    @staticmethod
    def backward(ctx, cotangent):
        return 5.0 * cotangent


def seeded():
    return torch.Generator().manual_seed(8)


def test_exact_gradients_pass():
    assert dot_product_error(lambda x: [torch.sin(MATRIX @ x)], [POINT], seeded()) < 1e-12
    assert affine_error(lambda x: [MATRIX @ x + 273.15], [POINT], seeded()) < 1e-12
    orders = taylor_orders(lambda x: torch.sin(MATRIX @ x).sum(), POINT, torch.ones_like(POINT), [1e-2, 1e-3])
    assert orders == pytest.approx([2.0], abs=0.05)


def test_several_arguments_and_results_count_together():
    def function(a, b):
        return [a * b, a + 2.0, 3.0 * b]

    assert dot_product_error(function, [POINT, POINT + 1.0], seeded()) < 1e-12
    assert affine_error(lambda a, b: [a - b, 2.0 * a], [POINT, POINT + 1.0], seeded()) < 1e-12


def test_a_wrong_backward_shrinks_with_order_1():
    orders = taylor_orders(lambda x: (Doubled.apply(x) ** 2).sum(), POINT, torch.ones_like(POINT), [1e-3, 1e-4, 1e-5])
    assert all(abs(order - 1.0) < 0.01 for order in orders)


def test_the_affine_law_catches_a_wrong_backward_that_the_dot_product_cannot_see():
    def function(x):
        return [Doubled.apply(x)]

    assert affine_error(function, [POINT], seeded()) == pytest.approx(0.6)
    assert dot_product_error(function, [POINT], seeded()) < 1e-12


def test_the_affine_law_tells_a_map_that_is_not_affine():
    assert affine_error(lambda x: [x**2], [POINT], seeded()) > 1e-3


@pytest.mark.parametrize("law", [dot_product_error, affine_error])
@pytest.mark.parametrize("function", [lambda x: [0.0 * x], lambda x: [torch.relu(-torch.exp(x))]])
def test_a_zero_jacobian_proves_nothing_and_is_refused(law, function):
    with pytest.raises(GradientError, match="both sides of the dot product are 0: the Jacobian is zero here"):
        law(function, [POINT], seeded())


@pytest.mark.parametrize("law", [dot_product_error, affine_error])
def test_a_result_off_the_tape_is_named(law):
    with pytest.raises(GradientError, match=r"results \[1\] depend on no argument, or left the tape"):
        law(lambda x: [x, x.detach()], [POINT], seeded())


def test_the_materialised_vjp_of_a_matrix_is_its_transpose():
    cotangent = torch.tensor([2.0, -1.0], dtype=torch.float64)
    found = materialised_vjp(lambda x: MATRIX @ x, POINT, cotangent, torch.tensor(0.5, dtype=torch.float64))
    assert torch.allclose(found, torch.tensor([2.0, -7.0, 0.0], dtype=torch.float64), atol=1e-12)


def test_central_differences_of_a_cube_have_the_known_error():
    point, one = torch.tensor([2.0], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    found = materialised_vjp(lambda x: x**3, point, one, torch.tensor(0.1, dtype=torch.float64))
    assert found.item() == pytest.approx(3 * 2.0**2 + 0.1**2)


def test_the_relative_difference_is_the_largest_one_against_the_largest_reference():
    assert relative_difference(torch.tensor([1.0, 2.0]), torch.tensor([1.5, -4.0])) == 1.5
    assert relative_difference(torch.zeros(2), torch.zeros(2)) == 0.0
