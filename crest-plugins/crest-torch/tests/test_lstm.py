"""LSTMRegressor: how its weights begin."""

import pytest
import torch
from crest_torch import LSTMRegressor


def network(**settings):
    return LSTMRegressor(8, 1, hidden=128, generator=torch.Generator().manual_seed(1), **settings).eval()


@pytest.mark.parametrize("forget_bias", [0.0, 3.0, 5.0])
def test_an_untrained_network_forgets_a_small_change_of_its_state(forget_bias):
    """Drawn as torch does, one with a forget bias of 3 makes it 500 times larger, and one of 5 5,000 times."""
    model = network(forget_bias=forget_bias)
    x = torch.randn(730, 4, 8, generator=torch.Generator().manual_seed(2))
    h = torch.zeros(1, 4, 128)
    with torch.no_grad():
        ends = [model(x, (start, torch.zeros_like(h)))[1][1] for start in (h, h + 1e-3)]
    assert float((ends[0] - ends[1]).abs().max()) < 1e-3


def test_weights_of_torch_remain_without_a_memory():
    plain = network(forget_bias=0.0).lstm.weight_hh_l0
    assert float(plain.detach().abs().max()) == pytest.approx(128**-0.5, rel=1e-3)
    assert torch.equal(network().lstm.weight_ih_l0, network(forget_bias=0.0).lstm.weight_ih_l0)


def test_the_forget_gate_begins_with_its_bias():
    more = network(forget_bias=2.0).lstm.bias_hh_l0 - network(forget_bias=0.0).lstm.bias_hh_l0
    expected = torch.zeros(512)
    expected[128:256] = 2.0
    torch.testing.assert_close(more, expected)
