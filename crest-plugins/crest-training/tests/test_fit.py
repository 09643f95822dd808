"""Fitting: known parameters come back, gaps do not matter, mistakes are told."""

import numpy as np
import pytest
import torch
import xarray as xr
from crest_training import Observation, fit
from torch import nn

from crest_core import Connection, FieldSpec, ForcingError, GradientError, Graph, PhysicalParameters, StepComponent


class Reservoir(StepComponent):
    """Outflow k S of a linear reservoir."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (FieldSpec(name="outflow", units="mm day-1"),)
    states = (FieldSpec(name="storage", units="mm", cell_methods="time: point"),)
    parameter_specs = (FieldSpec(name="rate", units="day-1", dims=(), static=True, bounds=(0.01, 0.9)),)

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.physical = PhysicalParameters(self.parameter_specs, {"rate": rate})

    def initial_state(self, sizes):
        return {"storage": sizes.zeros(self.states[0])}

    def step(self, state, inputs, time):
        storage = state["storage"] + inputs["rain"]
        outflow = self.physical.values()["rate"] * storage
        return {"outflow": outflow}, {"storage": storage - outflow}


class Gauge(StepComponent):
    """A network after the reservoir: a scaled reading."""

    inputs = (FieldSpec(name="outflow", units="mm day-1"),)
    outputs = (FieldSpec(name="reading", units="mm day-1"),)

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def step(self, state, inputs, time):
        return {"reading": self.scale * inputs["outflow"]}, {}


def rain(days: int = 120) -> xr.Dataset:
    values = 20 * (np.random.default_rng(3).random((days, 2)) - 0.6).clip(0)
    times = xr.date_range("2001-01-01", periods=days, freq="1D")
    field = xr.DataArray(values, dims=("time", "cell"), coords={"time": times})
    return field.assign_attrs(units="mm day-1").to_dataset(name="rain")


def truth(forcing: xr.Dataset, rate: float = 0.25, scale: float = 1.0) -> xr.DataArray:
    values = torch.tensor(forcing.rain.values)
    model = Reservoir(rate)
    state = {"storage": torch.zeros(2, dtype=torch.float64)}
    outputs, _ = model(state, {"rain": values}, range(len(values)))
    data = scale * outputs["outflow"].detach().numpy()
    return xr.DataArray(data, dims=("time", "cell"), coords={"time": forcing.time}, attrs={"units": "mm day-1"})


def fitted_rate(model: Reservoir) -> float:
    return float(model.physical.values()["rate"].detach())


def period(days: int = 120) -> dict:
    return {"start": "2001-01-01", "end": np.datetime64("2001-01-01") + np.timedelta64(days, "D")}


def test_a_known_parameter_comes_back():
    forcing, model = rain(), Reservoir(0.6)
    record = fit(model, forcing, [Observation("outflow", truth(forcing))], epochs=150, spin_up=5, **period())
    assert fitted_rate(model) == pytest.approx(0.25, abs=0.005)
    assert record.training[-1] < 1e-3 * record.training[0]
    assert record.best_epoch > 100 and len(record.training) == 150


def test_physical_parameter_and_network_weight_are_found_together():
    forcing = rain()
    graph = Graph({"hill": Reservoir(0.5), "gauge": Gauge()}, [Connection("hill.outflow", "gauge.outflow")])
    streams = [
        Observation("outflow", truth(forcing)),
        Observation("reading", truth(forcing, scale=1.7), weight=0.5, normalise=False),
    ]
    fit(graph, forcing, streams, epochs=250, network_rate=0.05, **period())
    assert fitted_rate(graph.components["hill"]) == pytest.approx(0.25, abs=0.01)
    assert float(graph.components["gauge"].scale.detach()) == pytest.approx(1.7, abs=0.02)


def test_gaps_in_the_observations_change_nothing_else():
    forcing = rain()
    gappy = truth(forcing)
    gappy[10:60, 0] = np.nan
    model = Reservoir(0.6)
    record = fit(model, forcing, [Observation("outflow", gappy)], epochs=150, **period())
    assert fitted_rate(model) == pytest.approx(0.25, abs=0.005)
    assert np.isfinite(record.training).all()


def test_two_fits_are_identical():
    forcing = rain(40)
    records = [
        fit(Reservoir(0.6), forcing, [Observation("outflow", truth(forcing))], epochs=8, **period(40)) for _ in range(2)
    ]
    assert records[0].training == records[1].training


def test_validation_keeps_the_best_parameters_and_stops_early():
    forcing = rain()
    wrong = truth(forcing)
    wrong[60:] = truth(forcing, rate=0.55)[60:]  # after the training period the truth is another
    model = Reservoir(0.7)
    record = fit(
        model,
        forcing,
        [Observation("outflow", wrong)],
        start="2001-01-01",
        end="2001-03-02",
        validate_until="2001-05-01",
        validate_every=1,
        patience=5,
        epochs=100,
    )
    assert len(record.training) < 100
    assert record.best_epoch == int(np.nanargmin(record.validation)) + 1
    assert fitted_rate(model) > 0.3  # on its way from 0.7 to 0.25 it passed 0.55


def test_units_of_observations_are_converted():
    forcing = rain(60)
    metres = truth(forcing) / 1000.0
    model = Reservoir(0.6)
    observed = Observation("outflow", metres.assign_attrs(units="m day-1"))
    record = fit(model, forcing, [observed], epochs=1, **period(60))
    again = fit(Reservoir(0.6), forcing, [Observation("outflow", truth(forcing))], epochs=1, **period(60))
    assert record.training[0] == pytest.approx(again.training[0], rel=1e-5)


def test_the_learning_curve_is_a_dataset():
    forcing = rain(40)
    record = fit(Reservoir(0.6), forcing, [Observation("outflow", truth(forcing))], epochs=4, **period(40))
    curve = record.to_dataset()
    assert curve.sizes["epoch"] == 4 and curve.attrs["best_epoch"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.rename(cell="place"), "expected the dims \\['cell', 'time'\\]"),
        (lambda d: d.assign_attrs(units=None), "attrs\\['units'\\] is missing"),
        (lambda d: d.assign_attrs(units="K"), "observation outflow: .*K"),
        (lambda d: d[:50], "70 of 120 times are missing, the first 2001-02-20"),
        (lambda d: d * np.nan, "nothing is observed"),
        (
            lambda d: d.where(d.time != d.time[4], -9999.0),
            r"observation outflow: -9999 at 2001-01-05 00:00:00, cell 0 \(2 such values\) is a fill value.*put nan",
        ),
        (lambda d: d.where(d.time != d.time[4], np.inf), "inf at 2001-01-05 .* put nan where nothing was observed"),
        (lambda d: d.where(d.cell > 0, 1e20), "1e\\+20 at 2001-01-01 00:00:00, cell 0"),
        (lambda d: d.isel(time=[*range(120), 7]), "2001-01-08 00:00:00 is there more than once, .*drop or average"),
    ],
)
def test_observations_that_do_not_fit_are_told(change, message):
    forcing = rain()
    changed = change(truth(forcing))
    if "units" not in changed.attrs:
        changed.attrs["units"] = "mm day-1"
    if changed.attrs["units"] is None:
        del changed.attrs["units"]
    with pytest.raises(ForcingError, match=message):
        fit(Reservoir(0.6), forcing, [Observation("outflow", changed)], epochs=1, **period())


@pytest.mark.parametrize("weight", [0.0, -1.0, np.inf, np.nan])
def test_a_weight_must_be_above_0_and_finite(weight):
    with pytest.raises(ForcingError, match=f"outflow: weight {weight}, expected a finite number above 0; leave out"):
        Observation("outflow", xr.DataArray([1.0], dims="time"), weight=weight)


def test_an_unknown_output_lists_the_outputs_of_the_graph():
    forcing = rain(40)
    with pytest.raises(ForcingError, match="flow: the graph has no such output; outputs: outflow"):
        fit(Reservoir(0.5), forcing, [Observation("flow", truth(forcing))], epochs=1, **period(40))


def test_no_observation_is_an_error():
    with pytest.raises(ForcingError, match="at least one Observation"):
        fit(Reservoir(0.5), rain(40), [], epochs=1, **period(40))


def test_epochs_must_be_positive():
    with pytest.raises(ValueError, match="epochs 0"):
        fit(Reservoir(0.5), rain(40), [], epochs=0, **period(40))


class Constant(StepComponent):
    """Nothing to train."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (FieldSpec(name="outflow", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"outflow": inputs["rain"]}, {}


class Broken(Reservoir):
    """A square root of zero: a finite answer, an infinite slope."""

    def step(self, state, inputs, time):
        outflow = torch.sqrt(0.0 * self.physical.values()["rate"] + 0.0 * inputs["rain"])
        return {"outflow": outflow}, dict(state)


def test_a_graph_without_parameters_cannot_be_fitted():
    forcing = rain(40)
    with pytest.raises(GradientError, match="no trainable parameter"):
        fit(Constant(), forcing, [Observation("outflow", truth(forcing))], epochs=1, **period(40))


def test_a_gradient_that_is_not_finite_names_the_parameter_and_epoch():
    forcing = rain(40)
    with pytest.raises(GradientError, match=r"physical\.raw\.rate is not finite in epoch 1"):
        fit(Broken(0.5), forcing, [Observation("outflow", truth(forcing))], epochs=2, **period(40))


class Doubtful(Reservoir):
    """Not a number after some steps."""

    def step(self, state, inputs, time):
        outputs, after = super().step(state, inputs, time)
        return {"outflow": outputs["outflow"] / (0.0 if time.month > 2 else 1.0) * 0.0}, after


def test_a_validation_loss_that_is_not_finite_is_told():
    forcing = rain()
    observed = [Observation("outflow", truth(forcing))]
    with pytest.raises(GradientError, match="the validation loss of epoch 1 is nan, expected a finite number; lower"):
        fit(
            Doubtful(0.5),
            forcing,
            observed,
            start="2001-01-01",
            end="2001-03-01",
            validate_until="2001-04-01",
            validate_every=1,
            epochs=2,
        )


class Watched(Reservoir):
    """Notes the mode in which it runs."""

    def __init__(self) -> None:
        super().__init__(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.seen: list[tuple[int, bool]] = []

    def sequence(self, state, inputs, times):
        self.seen.append((len(times), self.training and self.frozen.training))
        return super().sequence(state, inputs, times)


def test_training_runs_in_train_mode_and_validation_in_eval_mode_and_modes_come_back():
    forcing, model = rain(), Watched()
    observed = [Observation("outflow", truth(forcing))]
    fit(model, forcing, observed, epochs=2, validate_every=1, validate_until="2001-05-01", **period(60))
    assert model.seen == [(60, True), (120, False)] * 2
    assert model.training and not model.frozen.training


def test_modes_and_denormal_numbers_come_back_after_an_error():
    tiny = torch.tensor(1e-40)
    before, forcing, model = float(tiny * 0.5), rain(40), Broken(0.5)
    model.eval()
    with pytest.raises(GradientError):
        fit(model, forcing, [Observation("outflow", truth(forcing))], epochs=2, **period(40))
    assert not any(module.training for module in model.modules())
    assert float(tiny * 0.5) == before != 0.0


def test_denormal_numbers_are_as_before_after_a_fit():
    forcing = rain(40)
    fit(Reservoir(0.5), forcing, [Observation("outflow", truth(forcing))], epochs=1, **period(40))
    assert float(torch.tensor(1e-40) * 0.5) != 0.0


def test_an_interrupted_fit_leaves_the_best_parameters_so_far():
    class Stops(Reservoir):
        runs = 0

        def sequence(self, state, inputs, times):
            self.runs += 1
            if self.runs > 20:
                raise KeyboardInterrupt
            return super().sequence(state, inputs, times)

    forcing, short, stopped = rain(), Reservoir(0.6), Stops(0.6)
    fit(short, forcing, [Observation("outflow", truth(forcing))], epochs=20, final_rate=1.0, **period())
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, forcing, [Observation("outflow", truth(forcing))], epochs=50, final_rate=1.0, **period())
    assert fitted_rate(stopped) == pytest.approx(fitted_rate(short), rel=1e-6)
