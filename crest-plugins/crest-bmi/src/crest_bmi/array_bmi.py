"""ArrayBmi: 39 of the 41 functions of the Basic Model Interface for a model whose variables are NumPy arrays."""

from __future__ import annotations

import sys
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import NamedTuple

from bmipy import Bmi

from crest_bmi.copies import copy_in, copy_out
from crest_bmi.grids import BmiGrid
from crest_bmi.model import Array
from crest_core import ComponentError, FieldError, TimeError
from crest_core.plugins import near


class ArrayVariable(NamedTuple):
    """A variable: one array for the whole life of the model, flat in C order."""

    values: Array
    units: str
    grid: int = 0
    settable: bool = True


class ArrayBmi(Bmi):
    """A BMI model on arrays: its author writes `get_component_name`, `initialize` and `advance`.

    The first two are functions of BMI, the other 39 are here; `advance` is one step. `initialize` calls `begin`. Time
    is in seconds from 0.0 and ends never (or at `end`), as NextGen wants it; `get_value_ptr` returns the same array for
    ever. set_value of an unknown variable warns and changes nothing.
    """

    def __init__(self) -> None:
        self._variables: Mapping[str, ArrayVariable] = {}
        self._grids: tuple[BmiGrid, ...] = ()
        self._inputs: tuple[str, ...] = ()
        self._outputs: tuple[str, ...] = ()
        self._seconds, self._now, self._end = 1.0, 0.0, sys.float_info.max
        self._begun = False

    @abstractmethod
    def advance(self) -> None:
        """Bring all arrays, in place, one time step on."""

    def begin(
        self,
        variables: Mapping[str, ArrayVariable],
        grids: Iterable[BmiGrid],
        *,
        inputs: Iterable[str],
        outputs: Iterable[str],
        seconds: float,
        end: float = sys.float_info.max,
    ) -> None:
        """Say which variables on which grids there are; those that are neither input nor output are not listed."""
        self._variables, self._grids = dict(variables), tuple(grids)
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._seconds, self._now, self._end = float(seconds), 0.0, float(end)
        if both := sorted(set(self._inputs) & set(self._outputs)):
            raise FieldError(f"{type(self).__name__}: {both} are inputs and outputs; NextGen allows a name in one only")
        if reserved := [name for name in self._variables if name.startswith("ngen::")]:
            raise FieldError(f"{type(self).__name__}: {reserved} begin with 'ngen::', which NextGen keeps for itself")
        self._begun = True

    def update(self) -> None:
        self._check_begun("update")
        self.advance()
        self._now += self._seconds

    def update_until(self, time: float) -> None:
        self._check_begun("update_until")
        if isinstance(time, str | None) or not isfinite(time):
            raise TimeError(f"{type(self).__name__}: update_until({time!r}): expected a time in seconds that is finite")
        steps = (time - self._now) / self._seconds
        if steps < -1e-6 or abs(steps - round(steps)) > 1e-6:
            raise TimeError(
                f"{type(self).__name__}: update_until({time:g}) at time {self._now:g} s: expected a whole number of "
                f"steps of {self._seconds:g} s forward"
            )
        for _ in range(round(steps)):
            self.update()

    def finalize(self) -> None:
        self._variables, self._begun = {}, False

    def get_input_item_count(self) -> int:
        return len(self._inputs)

    def get_output_item_count(self) -> int:
        return len(self._outputs)

    def get_input_var_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._inputs

    def get_output_var_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._outputs

    def get_var_grid(self, name: str) -> int:
        return self._variable(name).grid

    def get_var_type(self, name: str) -> str:
        return str(self._variable(name).values.dtype)

    def get_var_units(self, name: str) -> str:
        return self._variable(name).units

    def get_var_itemsize(self, name: str) -> int:
        return self._variable(name).values.itemsize

    def get_var_nbytes(self, name: str) -> int:
        return self._variable(name).values.nbytes

    def get_var_location(self, name: str) -> str:
        self._variable(name)
        return "node"

    def get_current_time(self) -> float:
        return self._now

    def get_start_time(self) -> float:
        return 0.0

    def get_end_time(self) -> float:
        return self._end

    def get_time_units(self) -> str:
        return "s"

    def get_time_step(self) -> float:
        return self._seconds

    def get_value(self, name: str, dest: Array) -> Array:
        return copy_out(f"get_value({name!r})", self._variable(name).values, dest)

    def get_value_ptr(self, name: str) -> Array:
        return self._variable(name).values

    def get_value_at_indices(self, name: str, dest: Array, inds: Array) -> Array:
        return copy_out(f"get_value_at_indices({name!r})", self._variable(name).values, dest, inds)

    def set_value(self, name: str, src: Array) -> None:
        if self._takes(name):
            copy_in(f"set_value({name!r})", self._variables[name].values, src)

    def set_value_at_indices(self, name: str, inds: Array, src: Array) -> None:
        if self._takes(name):
            copy_in(f"set_value_at_indices({name!r})", self._variables[name].values, src, inds)

    def get_grid_rank(self, grid: int) -> int:
        found = self._grid(grid)
        return len(found.axes) if found.kind == "unstructured" else len(found.shape)

    def get_grid_size(self, grid: int) -> int:
        return self._grid(grid).size

    def get_grid_type(self, grid: int) -> str:
        return self._grid(grid).kind

    def get_grid_shape(self, grid: int, shape: Array) -> Array:
        shape[...] = self._grid(grid).shape
        return shape

    def get_grid_spacing(self, grid: int, spacing: Array) -> Array:
        axes = list(self._grid(grid).axes.values())
        spacing[...] = [axis[1] - axis[0] if len(axis) > 1 else 1.0 for axis in reversed(axes)]
        return spacing

    def get_grid_origin(self, grid: int, origin: Array) -> Array:
        origin[...] = [axis[0] for axis in reversed(list(self._grid(grid).axes.values()))]
        return origin

    def get_grid_x(self, grid: int, x: Array) -> Array:
        return self._axis(grid, "x", x)

    def get_grid_y(self, grid: int, y: Array) -> Array:
        return self._axis(grid, "y", y)

    def get_grid_z(self, grid: int, z: Array) -> Array:
        return self._axis(grid, "z", z)

    def get_grid_node_count(self, grid: int) -> int:
        return self._grid(grid).size

    def get_grid_edge_count(self, grid: int) -> int:
        return 0

    def get_grid_face_count(self, grid: int) -> int:
        return 0

    def get_grid_edge_nodes(self, grid: int, edge_nodes: Array) -> Array:
        return edge_nodes

    def get_grid_face_edges(self, grid: int, face_edges: Array) -> Array:
        return face_edges

    def get_grid_face_nodes(self, grid: int, face_nodes: Array) -> Array:
        return face_nodes

    def get_grid_nodes_per_face(self, grid: int, nodes_per_face: Array) -> Array:
        return nodes_per_face

    def _check_begun(self, function: str) -> None:
        if not self._begun:
            raise ComponentError(f"{type(self).__name__}: {function}() before initialize() or after finalize()")

    def _variable(self, name: str) -> ArrayVariable:
        if name not in self._variables:
            listed = (*self._inputs, *self._outputs)
            known = f"{near(name, listed)}; variables: {', '.join(listed)}" if self._variables else "; initialize first"
            raise ComponentError(f"{type(self).__name__} has no variable {name!r}{known}")
        return self._variables[name]

    def _takes(self, name: str) -> bool:
        """Return whether a variable can be set; NextGen sets what it likes and must not be stopped."""
        if name in self._variables and self._variables[name].settable:
            return True
        warnings.warn(f"{type(self).__name__}: set_value({name!r}) is left out: no such input", stacklevel=3)
        return False

    def _grid(self, grid: int) -> BmiGrid:
        if not 0 <= grid < len(self._grids):
            raise ComponentError(f"{type(self).__name__} has no grid {grid}, only 0 to {len(self._grids) - 1}")
        return self._grids[grid]

    def _axis(self, grid: int, axis: str, values: Array) -> Array:
        axes = self._grid(grid).axes
        if axis in axes:
            values[...] = axes[axis]
        return values
