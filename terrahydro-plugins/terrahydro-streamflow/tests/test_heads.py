"""Heads of distributions: their point output is their mean, and their parts are what a likelihood takes."""

import pytest
import torch
from terrahydro_streamflow import StreamflowLSTM
from terrahydro_streamflow.heads import AsymmetricLaplaceMixtureHead, GaussianMixtureHead

from crest_core import Sizes

PARTS = {
    "gaussian-mixture": ["runoff_location", "runoff_scale", "runoff_weight"],
    "cmal": ["runoff_location", "runoff_scale", "runoff_asymmetry", "runoff_weight"],
}


def run(head):
    model = StreamflowLSTM(hidden=6, attributes={}, head=head, mixture=3, generator=torch.Generator().manual_seed(1))
    model.standardise({"runoff_flux": 4.0}, {"runoff_flux": 2.0})
    draw = torch.Generator().manual_seed(2)
    inputs = {spec.name: torch.randn(8, 5, generator=draw) for spec in model.inputs}
    with torch.no_grad():
        return model.eval()(model.initial_state(Sizes({"cell": 5})), inputs, range(8))[0]


@pytest.mark.parametrize("head", PARTS)
def test_the_parts_have_names_dims_and_ranges_of_a_mixture(head):
    outputs = run(head)
    assert sorted(outputs) == sorted(["runoff_flux", *PARTS[head]])
    assert all(outputs[name].shape == (8, 3, 5) for name in PARTS[head])
    assert float(outputs["runoff_scale"].min()) > 0.0
    torch.testing.assert_close(outputs["runoff_weight"].sum(1), torch.ones(8, 5))
    if head == "cmal":
        assert 0.0 < float(outputs["runoff_asymmetry"].min()) and float(outputs["runoff_asymmetry"].max()) < 1.0


@pytest.mark.parametrize("head", PARTS)
def test_the_point_output_is_the_mean_of_the_mixture_in_units_of_runoff(head):
    """Integrated numerically over the density of the parts, in kg m-2 day-1."""
    outputs = {name: value.double() for name, value in run(head).items()}
    q = torch.linspace(-400.0, 400.0, 400_001, dtype=torch.float64)
    m, s, w = (outputs[name][0, :, 0].unsqueeze(-1) for name in PARTS["gaussian-mixture"])
    if head == "cmal":
        t = outputs["runoff_asymmetry"][0, :, 0].unsqueeze(-1)
        density = t * (1 - t) / s * torch.exp(-torch.maximum(t * (q - m), (t - 1) * (q - m)) / s)
    else:
        density = torch.exp(-0.5 * ((q - m) / s) ** 2) / (s * (2 * torch.pi) ** 0.5)
    mean = torch.trapezoid((w * density).sum(0) * q, q)
    torch.testing.assert_close(outputs["runoff_flux"][0, 0], mean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", PARTS)
def test_the_statistics_of_the_location_are_those_of_runoff(head):
    one, other = (StreamflowLSTM(hidden=4, attributes={}, head=head, lagged=True) for _ in range(2))
    one.standardise({"runoff_flux": 4.0}, {"runoff_flux": 2.0})
    other.standardise({"runoff_location": 4.0, "runoff_scale": 0.0}, {"runoff_location": 2.0, "runoff_scale": 2.0})
    assert torch.equal(one.scaling.mean, other.scaling.mean) and torch.equal(one.scaling.std, other.scaling.std)
    assert [float(value) for value in other.scaling.moments("runoff_flux_lagged")] == [4.0, 2.0]


@pytest.mark.parametrize("kind", [GaussianMixtureHead, AsymmetricLaplaceMixtureHead])
def test_extreme_hidden_states_give_finite_parts(kind):
    head = kind(4, 3)
    parts = head(torch.tensor([[1e4, -1e4, 1e4, -1e4]]))
    assert all(torch.isfinite(part).all() for part in parts.values()) and torch.isfinite(head.point(parts)).all()
