"""Training files are checked by file, line and key; datasets become the fields of a model, or an error says why not."""

import numpy as np
import pytest
import xarray as xr
from crest_training.ports import as_fields, standardise
from crest_training.train_file import TrainFileError, load_train_file

from crest_core import FieldSpec, ForcingError, Graph, StepComponent

TEXT = """\
network: {hidden: 4, inputs: [{name: rain, units: mm day-1}], outputs: [{name: flow, units: mm day-1}]}
forcing: {path: rain.nc}
samples: {steps: 30, spin_up: 10}
training: {start: 2001-01-01, end: 2002-01-01}
objectives:
  - {output: flow, loss: nse}
epochs: 3
seeds: [1, 2]
folder: trained
model: {name: river, summary: A river, licence: MIT, citation: none, data: made up}
"""


def load(tmp_path, text=TEXT, **changes):
    path = tmp_path / "train.yaml"
    path.write_text(text, encoding="utf-8")
    return load_train_file(path, changes)


def test_a_file_is_read_with_its_defaults(tmp_path):
    file = load(tmp_path)
    assert (file.seeds, file.samples.batch, file.precision, file.target) == (
        (1, 2),
        64,
        "float32",
        tmp_path / "trained",
    )


def test_keys_are_overruled(tmp_path):
    file = load(tmp_path, **{"optimiser.schedule.name": "cosine", "epochs": 9})
    assert (file.optimiser.schedule.name, file.epochs) == ("cosine", 9)
    with pytest.raises(TrainFileError, match="--set epochs.x: epochs holds no keys"):
        load(tmp_path, **{"epochs.x": 1})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs: 3", "epochs: 0", "yaml:7: epochs: expected greater than or equal to 1, got 0"),
        ("epochs: 3", "epoch: 3", "yaml:7: epoch: unknown key; allowed: .*did you mean 'epochs'"),
        ("spin_up: 10", "spinup: 10", "yaml:3: samples.spinup: unknown key; allowed: steps, spin_up, every"),
        ("loss: nse", "loss: quantile", "yaml:6: objectives.0: expected the key levels with the loss quantile"),
        ("loss: nse", "loss: nse, space: log", "yaml:6: objectives.0: the loss nse divides by the spread of places"),
        ("network: {hidden", "graph: {}\nnetwork: {hidden", "training: expected one of the keys graph and network"),
        ("seeds: [1, 2]", "seeds: []", "yaml:8: seeds: .* at least 1 item"),
        ("licence: MIT, ", "", "yaml:10: model.licence: missing key"),
    ],
)
def test_faults_are_told_by_file_line_and_key(tmp_path, old, new, words):
    with pytest.raises(TrainFileError, match=words):
        load(tmp_path, TEXT.replace(old, new))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TrainFileError, match="none.yaml: cannot be read: No such file"):
        load_train_file(tmp_path / "none.yaml")


def weather(**units):
    values = ("time", "cell"), np.ones((3, 1))
    names = {"tmax": "air_temperature", "pr": "rainfall_flux", "pr2": "rainfall_flux"}
    data = {name: (*values, {"standard_name": names[name], "units": unit}) for name, unit in units.items()}
    return xr.Dataset(data, {"time": np.arange(3), "lat": ("cell", [1.0]), "lon": ("cell", [2.0])})


RAIN = FieldSpec(name="rain", units="kg m-2 day-1", standard_name="rainfall_flux")


def test_variables_are_found_by_standard_name_and_their_units_converted():
    found = as_fields(weather(pr="kg m-2 s-1"), (RAIN,), {}, "input")
    assert float(found["rain"][0, 0]) == pytest.approx(86400) and found["rain"].attrs["units"] == "kg m-2 day-1"


@pytest.mark.parametrize(
    ("data", "names", "words"),
    [
        (weather(pr="mm day-1", pr2="mm day-1"), {}, "2 have its standard name among pr, pr2; name the variable"),
        (weather(tmax="K"), {}, "none has its name or standard name among tmax"),
        (weather(tmax="K"), {"rain": "pr"}, "no variable 'pr'; the data hold tmax"),
        (weather(tmax="K"), {"rain": "tmax"}, "input rain: tmax: "),
        (weather(pr=None), {}, "pr has no attribute units; expected 'kg m-2 day-1'"),
    ],
)
def test_what_does_not_fit_a_field_is_told(data, names, words):
    with pytest.raises(ForcingError, match=words):
        as_fields(data, (RAIN,), names, "input")


class Scaled(StepComponent):
    """A component that keeps what it is given."""

    inputs = outputs = ()

    def __init__(self, *inputs):
        super().__init__()
        self.inputs, self.given = inputs, {}

    def standardise(self, mean, std):
        self.given = {name: (mean[name], std[name]) for name in mean}

    def step(self, state, inputs, time):
        return {}, {}


def test_components_are_standardised_with_their_own_fields_but_not_those_with_weights():
    heat = FieldSpec(name="heat", units="K")
    graph = Graph({"one": Scaled(RAIN), "two": Scaled(RAIN, heat), "three": Scaled(RAIN)})
    done = standardise(graph, {"rain": 1.0, "heat": 2.0}, {"rain": 3.0, "heat": 4.0}, {"three"})
    assert done == {"one": ["rain"], "two": ["rain", "heat"]}
    assert graph.components["two"].given == {"rain": (1.0, 3.0), "heat": (2.0, 4.0)}
    assert graph.components["three"].given == {}
