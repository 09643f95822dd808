"""Small BMI models, well-behaved and not, with known answers."""

from types import SimpleNamespace

import numpy as np
import pytest
from crest_bmi import ArrayBmi, ArrayVariable, BmiGrid


class Reservoir(ArrayBmi):
    """flow = k water, water' = water + rain - flow (+ what the neighbour sends); one place, or `cells` of them."""

    cells, kind, seconds, last = 1, "f8", 86400.0, 1e300
    leak = 0.0
    """Share of the flow that reaches the next cell."""
    units = {"rain": "mm day-1", "flow": "mm day-1", "water": "mm", "k": "day-1"}
    finalized = 0

    def get_component_name(self):
        return "reservoir"

    def initialize(self, config_file):
        if config_file:
            with open(config_file) as file:
                self.cells = int(file.read())
        self.memory = 0.0
        v = {name: np.zeros(self.cells, self.kind) for name in ("rain", "flow", "water")}
        v["water"][:], v["k"] = 10.0, np.full(1, 0.1, self.kind)
        grids = [BmiGrid("scalar")]
        if self.cells > 1:
            grids.append(BmiGrid("unstructured", (self.cells,), {"x": np.arange(float(self.cells))}))
        self.v = v
        declared = {name: ArrayVariable(v[name], self.units[name], int(v[name].size > 1)) for name in v}
        self.begin(declared, grids, inputs=["rain"], outputs=["flow"], seconds=self.seconds, end=self.last)

    def advance(self):
        v = self.v
        if v["rain"].max() > 900:
            raise ValueError("the reservoir overflows")
        v["flow"][:] = v["k"] * v["water"]
        v["water"] += v["rain"] - v["flow"]
        if self.leak:
            v["water"][1:] += self.leak * v["flow"][:-1]

    def finalize(self):
        type(self).finalized += 1
        super().finalize()


class Hidden(Reservoir):
    """Remembers the rain of the day before, and tells nobody."""

    def advance(self):
        before, self.memory = self.memory, float(self.v["rain"][0])
        super().advance()
        self.v["flow"] += before


class Lateral(Reservoir):
    cells, leak = 3, 0.5


class Single(Reservoir):
    kind = "f4"


class Erratic(Reservoir):
    """Every step is longer than the one before."""

    def advance(self):
        super().advance()
        self._now += self._now


class Layered(ArrayBmi):
    """Two layers of one column: the upper one drains into the lower."""

    def get_component_name(self):
        return "layers"

    def initialize(self, config_file):
        self.water, self.rain = np.array([1.0, 2.0]), np.zeros(1)
        declared = {"water": ArrayVariable(self.water, "mm", 1), "rain": ArrayVariable(self.rain, "mm day-1", 0)}
        grids = [BmiGrid("scalar"), BmiGrid("rectilinear", (2,), {"x": np.array([0.1, 0.5])})]
        self.begin(declared, grids, inputs=["rain"], outputs=["water"], seconds=86400.0)

    def advance(self):
        drained = 0.5 * self.water[0]
        self.water += [self.rain[0] - drained, drained]


def variant(kind, /, **changes):
    """Return a subclass with other class attributes or methods."""
    return type(kind.__name__, (kind,), changes)


@pytest.fixture
def models():
    """Return the models by name; `variant` changes one."""
    kinds = (Reservoir, Hidden, Lateral, Single, Erratic, Layered)
    return SimpleNamespace(variant=variant, **{kind.__name__: variant(kind) for kind in kinds})
