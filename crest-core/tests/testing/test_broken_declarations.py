"""Components that declare what is wrong: each is told by its own check, and by no other."""

from dataclasses import replace

import pytest
import torch

from crest_core import FieldSpec
from crest_core.testing import TorchBucket

RAIN, EVAPORATION = TorchBucket.inputs
STORAGE, RUNOFF = TorchBucket.outputs


class NeedsArgument(TorchBucket):
    """Cannot be built without an argument."""

    def __init__(self, altitude):
        super().__init__()
        self.altitude = altitude


class ListOfInputs(TorchBucket):
    """Declares a list."""

    inputs = [RAIN, EVAPORATION]


class NoOutput(TorchBucket):
    """Gives nothing."""

    outputs = ()


class TwoRains(TorchBucket):
    """Has one name twice."""

    inputs = (RAIN, replace(RAIN, standard_name="rainfall_flux"), EVAPORATION)


class UnknownName(TorchBucket):
    """Has a standard name that nobody knows."""

    inputs = (replace(RAIN, standard_name="precipitaton_flux"), EVAPORATION)


def _forged(units):
    spec = replace(RAIN, standard_name="")
    object.__setattr__(spec, "units", units)
    return spec


class UnreadableUnits(TorchBucket):
    """Went round the check that a FieldSpec makes."""

    outputs = (STORAGE, replace(RUNOFF), _forged("bananas per day"))


class OtherKind(TorchBucket):
    """Gives runoff in kelvin."""

    outputs = (STORAGE, replace(RUNOFF, units="K"))


class UnknownDim(TorchBucket):
    """Has a dim whose size nothing tells."""

    states = (replace(STORAGE, dims=("soil_layer", "cell")),)


class CellBeforeLayer(TorchBucket):
    """Has the horizontal dim first."""

    dim_sizes = {"soil_layer": 1}
    states = (replace(STORAGE, dims=("cell", "soil_layer")),)


class CelsiusBounds(TorchBucket):
    """Has bounds in kelvin for a temperature in degrees Celsius."""

    inputs = (
        RAIN,
        EVAPORATION,
        FieldSpec(name="t", units="degC", standard_name="air_temperature", bounds=(200.0, 330.0)),
    )


class SameTwice(TorchBucket):
    """Gives the same quantity under two names."""

    outputs = (STORAGE, RUNOFF, replace(RUNOFF, name="discharge"))


class OddStep(TorchBucket):
    """Steps by months."""

    timestep = "1 month"


class OddPolicy(TorchBucket):
    """Has a policy that no report knows."""

    gradient_policy = "exact"


class OpaqueWithGradient(TorchBucket):
    """Hides its state and claims a gradient."""

    opaque = True


class StaticOutput(TorchBucket):
    """Gives an output without time, which no graph takes."""

    outputs = (STORAGE, replace(RUNOFF, static=True))


EXPECTED = {
    NeedsArgument: {"build.factory"},
    ListOfInputs: {"build.declared"},
    NoOutput: {"build.declared"},
    TwoRains: {"ports.names-unique"},
    UnknownName: {"ports.in-dictionary"},
    UnreadableUnits: {"ports.units-parse"},
    OtherKind: {"ports.units-fit"},
    UnknownDim: {"ports.dims"},
    CellBeforeLayer: {"ports.dims"},
    CelsiusBounds: {"ports.bounds-plausible"},
    SameTwice: {"ports.distinct-outputs"},
    OddStep: {"ports.timestep"},
    OddPolicy: {"ports.gradient-policy"},
    OpaqueWithGradient: {"ports.gradient-policy"},
    StaticOutput: {"ports.couples"},
}


@pytest.mark.parametrize("component", EXPECTED, ids=lambda kind: kind.__name__)
def test_a_wrong_declaration_is_told_by_its_own_check(component, broken_rules):
    failed, _ = broken_rules(component)
    assert failed == EXPECTED[component]


def test_a_factory_of_something_else_is_no_component(broken_rules):
    assert broken_rules(lambda: torch.nn.Linear(1, 1))[0] == {"build.factory"}


def test_one_object_for_all_is_no_factory(broken_rules):
    bucket = TorchBucket()
    assert broken_rules(lambda: bucket)[0] == {"build.factory"}


def test_a_field_without_standard_name_is_a_warning(broken_rules):
    class Nameless(TorchBucket):
        """Gives runoff without its name."""

        outputs = (STORAGE, replace(RUNOFF, standard_name=""))

    assert broken_rules(Nameless) == (set(), {"ports.in-dictionary"})
