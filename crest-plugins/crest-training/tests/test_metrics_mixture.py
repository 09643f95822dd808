"""Mixtures: closed forms against integrals and samples, and limits."""

import numpy as np
import pytest
from crest_training.metrics_mixture import crps_mixture, mixture_cdf, pit_reliability

OBSERVED = np.array([0.7, -1.2, 3.0])


def mixture(parts: int, *, laplace: bool) -> dict[str, np.ndarray]:
    """Three times of a mixture with very different parts."""
    generator = np.random.default_rng(4)
    weight = generator.random((3, parts)) + 0.1
    asymmetry = {"asymmetry": generator.uniform(0.1, 0.9, (3, parts))} if laplace else {}
    return {
        "location": generator.normal(0.0, 2.0, (3, parts)),
        "scale": generator.uniform(0.2, 2.0, (3, parts)),
        "weight": weight / weight.sum(axis=1, keepdims=True),
    } | asymmetry


@pytest.mark.parametrize("laplace", [False, True])
@pytest.mark.parametrize("parts", [1, 3])
def test_crps_of_a_mixture_agrees_with_the_integral_of_its_definition(parts, laplace):
    given = mixture(parts, laplace=laplace)
    x = np.linspace(-60.0, 60.0, 60_001)
    for n, observed in enumerate(OBSERVED):
        one = {name: np.repeat(values[n : n + 1], len(x), axis=0) for name, values in given.items()}
        squares = (mixture_cdf(x, **one) - (x >= observed)) ** 2
        known = float(squares.sum() * (x[1] - x[0]))
        found = crps_mixture([observed], **{name: values[n : n + 1] for name, values in given.items()})
        assert float(found) == pytest.approx(known, abs=3e-3)


@pytest.mark.parametrize("laplace", [False, True])
def test_a_mixture_of_equal_parts_is_that_part(laplace):
    one = mixture(1, laplace=laplace)
    three = {name: np.repeat(values, 3, axis=1) for name, values in one.items()} | {"weight": np.full((3, 3), 1 / 3)}
    np.testing.assert_allclose(mixture_cdf(OBSERVED, **three), mixture_cdf(OBSERVED, **one))
    assert float(crps_mixture(OBSERVED, **three)) == pytest.approx(float(crps_mixture(OBSERVED, **one)))


def test_the_cdf_of_asymmetric_laplacians_rises_by_their_density():
    given = mixture(1, laplace=True)
    m, s, t = (given[name][0, 0] for name in ("location", "scale", "asymmetry"))
    x = np.linspace(m - 5.0, m + 5.0, 200_001)
    one = {name: np.repeat(values[:1], len(x), axis=0) for name, values in given.items()}
    rise = np.gradient(mixture_cdf(x, **one), x)
    density = t * (1 - t) / s * np.exp(-(x - m) / s * (t - (x < m)))
    np.testing.assert_allclose(rise, density, atol=1e-4)


def test_pit_of_the_true_mixture_is_reliable_and_of_a_shifted_one_not():
    generator = np.random.default_rng(9)
    count = 4000
    part = (generator.random((count, 1)) < 0.3).astype(int)
    location, scale = np.tile([0.0, 6.0], (count, 1)), np.tile([1.0, 0.5], (count, 1))
    drawn = np.take_along_axis(location + scale * generator.normal(size=(count, 2)), part, axis=1)[:, 0]
    given = {"scale": scale, "weight": np.tile([0.7, 0.3], (count, 1))}
    assert float(pit_reliability(mixture_cdf(drawn, location, **given))) > 0.97
    assert float(pit_reliability(mixture_cdf(drawn, location + 1.0, **given))) < 0.8


def test_what_was_not_observed_does_not_count():
    given = mixture(3, laplace=True)
    gappy = np.array([0.7, np.nan, 3.0])
    rest = {name: values[[0, 2]] for name, values in given.items()}
    assert float(crps_mixture(gappy, **given)) == pytest.approx(float(crps_mixture(gappy[[0, 2]], **rest)))
    assert np.isnan(mixture_cdf(gappy, **given)).tolist() == [False, True, False]


def test_parts_of_different_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"observed has shape \(3,\).*\(time, mixture, places\)"):
        crps_mixture(OBSERVED, np.zeros((2, 4)), np.ones((2, 4)), np.ones((2, 4)))
