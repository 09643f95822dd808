"""One calibration problem, a known soil with measurement noise, and two ways to solve it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from crest_fortran import FortranComponent, shipped_library
from numpy.typing import NDArray
from torch import Tensor

from crest_core import Sizes

DAYS = 365
SPIN_UP = 60  # days that are run but not scored
NOISE = 0.01  # m3 m-3, of the measurements
DAY = 86400.0  # s
COMPLEXES = 2  # of SCE-UA; the fastest of 2, 3, 5, 7 and 10 on this problem
LIBRARY = shipped_library("soil_bucket")

Floats = NDArray[np.float64]


@dataclass
class Trace:
    """The best score so far after every evaluation, and the seconds since the start."""

    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def add(self, score: float) -> None:
        """Note one evaluation."""
        self.scores.append(max(score, self.scores[-1]) if self.scores else score)
        self.seconds.append(time.perf_counter() - self.began)

    def reached(self, score: float) -> tuple[int, float] | None:
        """Return evaluations and seconds until that score, None if it was not reached."""
        first = next((i for i, value in enumerate(self.scores) if value >= score), None)
        return None if first is None else (first + 1, self.seconds[first])


class _Reached(Exception):
    """Leaves the optimiser once the target is met."""


class Problem:
    """Find 21 parameters of the Fortran bucket from a year of daily soil moisture at three depths, at one cell.

    The truth is drawn from the middle half of the bounds, and the same for all starts; the score is the mean NSE of
    the layers.
    """

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.rain = generator.exponential(6.0, DAYS) * (generator.random(DAYS) < 0.4)  # kg m-2 day-1
        season = 2.0 - 1.8 * np.cos(2 * np.pi * np.arange(DAYS) / 365.25)
        self.demand = np.clip(season + generator.normal(0, 0.4, DAYS), 0, None)  # kg m-2 day-1
        model = FortranComponent(LIBRARY, isolation="none")
        self.specs = model.parameter_specs
        self.sizes = [3 if spec.dims else 1 for spec in self.specs]
        self.low, self.high = (np.repeat([spec.bounds[i] for spec in self.specs], self.sizes) for i in (0, 1))
        self.start = torch.cat([value.flatten() for value in model.initial_state(Sizes({"cell": 1})).values()]).numpy()
        self.columns = 1 + 2 * (len(self.low) + len(self.start))  # of a run and of its gradient, by central differences
        self.library = model.library
        truth = self.run(self.low + (self.high - self.low) * (0.25 + 0.5 * generator.random(len(self.low))))
        self.observed = truth + generator.normal(0, NOISE, truth.shape)
        self.spread = ((self.observed - self.observed.mean(0)) ** 2).sum(0)
        self.best = self.score(truth)

    def run(self, parameters: Floats) -> Floats:
        """Return soil moisture (time after the spin-up, layer) by a plain loop over the library."""
        arrays = self.library.arrays(1)
        arrays.parameters[:, 0], arrays.state_in[:, 0] = parameters, self.start
        moisture = np.empty((DAYS, 3))
        for day in range(DAYS):
            arrays.inputs[0, 0], arrays.inputs[1, 0] = self.rain[day], self.demand[day]
            self.library.run(DAY)
            moisture[day] = arrays.outputs[:3, 0]
            arrays.state_in[...] = arrays.state_out
        return moisture[SPIN_UP:]

    def score(self, moisture: Floats) -> float:
        """Return the mean NSE of the layers."""
        return float(1 - (((moisture - self.observed) ** 2).sum(0) / self.spread).mean())

    def component(self, seed: int) -> FortranComponent:
        """Return the model as a component with random parameters."""
        shares = np.random.default_rng(seed).uniform(0.1, 0.9, len(self.low))
        values = torch.tensor(self.low + (self.high - self.low) * shares).split(self.sizes)
        named = {s.name: v if s.dims else v[0] for s, v in zip(self.specs, values, strict=True)}
        return FortranComponent(LIBRARY, isolation="none", parameters=named)

    def loss(self, model: FortranComponent) -> Callable[[], Tensor]:
        """Return the function 1 - score of a component, on the gradient tape."""
        forcing = {
            "precipitation_flux": torch.tensor(self.rain).unsqueeze(1),
            "water_evapotranspiration_flux": torch.tensor(self.demand).unsqueeze(1),
        }
        state = model.initial_state(Sizes({"cell": 1}))
        observed, spread = torch.tensor(self.observed), torch.tensor(self.spread)

        def evaluate() -> Tensor:
            outputs, _ = model(state, forcing, range(DAYS))
            errors = outputs["soil_moisture"][SPIN_UP:, :, 0] - observed
            return (errors.square().sum(0) / spread).mean()

        return evaluate


def by_gradients(problem: Problem, seed: int, evaluations: int, target: float) -> Trace:
    """Return the trace of L-BFGS (Nocedal 1980) on finite-difference gradients, until the target is reached."""
    model = problem.component(seed)
    loss, trace = problem.loss(model), Trace()
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=evaluations, max_eval=evaluations, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        trace.add(1 - value.item())
        if trace.scores[-1] >= target:
            raise _Reached
        return value

    with contextlib.suppress(_Reached):
        optimiser.step(closure)
    return trace


def by_sceua(problem: Problem, seed: int, runs: int) -> Trace:
    """Return the trace of SCE-UA (Duan et al. 1994) by spotpy, on the plain loop."""
    import spotpy  # late: it lets pint's remarks on unit definitions through

    trace = Trace()
    inside = 1e-6 * (problem.high - problem.low)
    bounds = zip(problem.low + inside, problem.high - inside, strict=True)
    uniform = [spotpy.parameter.Uniform(f"p{i}", low, high) for i, (low, high) in enumerate(bounds)]

    class Setup:
        def parameters(self) -> Floats:
            return spotpy.parameter.generate(uniform)

        def simulation(self, vector: Floats) -> Floats:
            return problem.run(np.array(list(vector)))

        def evaluation(self) -> Floats:
            return problem.observed

        def objectivefunction(self, simulation: Floats, evaluation: Floats) -> float:
            score = problem.score(simulation)
            trace.add(score)
            return 1 - score

    sampler = spotpy.algorithms.sceua(Setup(), dbname="ram", dbformat="ram", save_sim=False, random_state=seed)
    with contextlib.redirect_stdout(io.StringIO()):
        sampler.sample(runs, ngs=COMPLEXES)
    return trace
