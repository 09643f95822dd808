"""Connections: visible transforms, signs, impossible conversions."""

import pytest
import torch

from crest_core import Connection, Grid, PointGrid, Regridder, conversion, default_dictionary
from crest_core.connection import compile_transforms
from crest_core.errors import CouplingError
from crest_fields.fields import FieldSpec

CO2 = "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes"


def chain(source, target, **options):
    return compile_transforms(
        source, target, ends="a.x -> b.y", seconds=86400.0, dictionary=default_dictionary(), **options
    )


def through(source, target, value, **options):
    result = torch.tensor([value], dtype=torch.float64)
    for transform in chain(source, target, **options):
        result = transform(result)
    return float(result)


def field(units, standard_name="", **options):
    return FieldSpec(name="x", units=units, standard_name=standard_name, **options)


def test_net_ecosystem_exchange_is_the_negative_of_the_net_downward_flux():
    down, nee = field("kg m-2 s-1", CO2), field("g m-2 day-1", "net_ecosystem_exchange_of_carbon")
    assert through(down, nee, 1e-8) == pytest.approx(-1e-8 * 86400 * 1000)
    assert through(nee, down, 2.0) == pytest.approx(-2.0 / 86400 / 1000)
    assert "sign (x -1)" in [t.describe() for t in chain(down, nee)]


def test_a_direction_that_is_declared_twice_flips_once():
    down = field("kg m-2 s-1", CO2, positive="down")
    odd = field("kg m-2 s-1", "net_ecosystem_exchange_of_carbon", positive="down")
    assert through(down, odd, 3.0) == 3.0


def test_opposite_directions_of_a_name_without_entry_flip():
    assert through(field("W m-2", positive="up"), field("W m-2", positive="down"), 5.0) == -5.0


@pytest.mark.parametrize(
    ("source", "target", "statistics", "value", "expected"),
    [
        ("degC", "K", ("mean", "mean"), 20.0, 293.15),
        ("%", "1", ("mean", "mean"), 35.0, 0.35),
        ("hPa", "Pa", ("mean", "mean"), 1013.25, 101325.0),
        ("J m-2", "W m-2", ("sum", "mean"), 86400.0, 1.0),
        ("W m-2", "J m-2", ("mean", "sum"), 1.0, 86400.0),
        ("mm", "mm day-1", ("sum", "mean"), 4.0, 4.0),
    ],
)
def test_known_conversions_are_exact(source, target, statistics, value, expected):
    a, b = (field(u, cell_methods=f"time: {s}") for u, s in zip((source, target), statistics, strict=True))
    assert through(a, b, value) == pytest.approx(expected, rel=1e-12)
    assert through(b, a, expected) == pytest.approx(value, rel=1e-12)


def test_water_depth_becomes_mass_by_a_named_density():
    depth, mass = field("mm day-1", "precipitation_flux"), field("kg m-2 s-1", "precipitation_flux")
    assert through(depth, mass, 86400.0) == pytest.approx(1.0)
    assert "water density 1000 kg m-3" in chain(depth, mass)[0].describe()
    assert through(depth, mass, 86400.0, water_density=917.0) == pytest.approx(0.917)


def test_depth_and_mass_of_something_unknown_need_a_density():
    with pytest.raises(CouplingError, match=r"a.x -> b.y: 'mm'.*'kg m-2'.*add a Connection with water_density="):
        chain(field("mm"), field("kg m-2"))


def test_an_amount_of_unknown_length_is_not_a_rate():
    with pytest.raises(CouplingError, match=r"a.x -> b.y: 'J m-2'.*'W m-2'.*time: sum"):
        chain(field("J m-2"), field("W m-2"))


def test_latent_heat_is_not_a_water_flux():
    with pytest.raises(CouplingError, match=r"'W m-2'.*'kg m-2 s-1'.*put a component between them"):
        chain(field("W m-2"), field("kg m-2 s-1"))


def test_a_given_transform_comes_first_and_its_units_count():
    class Halve:
        def __call__(self, values):
            return values / 2

        def units(self, source):
            return source

        def describe(self):
            return "half of it"

    assert through(field("hPa"), field("Pa"), 10.0, given=(Halve(),)) == 500.0
    assert chain(field("hPa"), field("Pa"), given=(Halve(),))[0].describe() == "half of it"


@pytest.mark.parametrize("density", [0.0, -5.0, float("nan"), float("inf")])
def test_a_density_that_is_none_is_refused(density):
    with pytest.raises(CouplingError, match="expected a water_density > 0"):
        Connection("a.x", "b.y", water_density=density)


class MeanOfAll:
    """The smallest regridder: the mean of all points at one point."""

    def __init__(self, source: Grid) -> None:
        self.source: Grid = source
        self.target: Grid = PointGrid([0.0], [0.0], name="mean")

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return values.mean(-1, keepdim=True)

    def describe(self) -> str:
        return f"mean of {self.source.name}"


def test_a_regridder_is_linear_and_differentiable():
    regridder: Regridder = MeanOfAll(PointGrid([1, 2], [3, 4]))
    values = torch.tensor([[1.0, 3.0]], requires_grad=True)
    regridder(values).sum().backward()
    assert regridder(values).tolist() == [[2.0]]
    assert values.grad is not None and values.grad.tolist() == [[0.5, 0.5]]
    assert regridder.describe() == "mean of points"


def test_conversions_keep_the_type_of_tensors_and_pass_identities_through():
    values = torch.tensor([3.0], dtype=torch.float64)
    assert float(conversion("degF", "K")(values)) == pytest.approx(257.0389, abs=1e-3)
    assert conversion("degF", "K")(values).dtype == torch.float64
    assert conversion("K", "kelvin")(values) is values
