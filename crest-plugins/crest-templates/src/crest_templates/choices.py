"""What `crest new` offers: templates by technology, and licences by SPDX identifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Template:
    """One kind of package: what its model is, what it needs, and which file its author edits first."""

    model: str
    edit: str
    requires: tuple[str, ...]
    """Requirement lines beside crest-core."""
    conserves: str = ""
    """The balance that the component declares and keeps; "" for a network, which keeps none."""
    weights: str = ""
    """The weights file within the package's module."""


_SNOW = "water: precipitation = rain + melt + d(swe)"
_RESERVOIR = "water: surface_runoff = runoff + d(storage)"

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "torch": Template("Degree-day snow in torch, a step at a time", "component.py", ("torch>=2.10",), _SNOW),
        "onnx": Template(
            "Rainfall-runoff LSTM in an ONNX file", "component.py", ("crest-onnx>=0.1.0",), weights="weights.onnx"
        ),
        "jax": Template(
            "Linear reservoir in JAX, a step at a time", "equations.py", ("crest-jax>=0.1.0", "jax>=0.8"), _RESERVOIR
        ),
        "keras": Template(
            "Rainfall-runoff LSTM in a .keras file", "component.py", ("crest-keras>=0.1.0",), weights="weights.keras"
        ),
        "numpy": Template(
            "Linear reservoir as a NumPy function", "component.py", ("crest-numpy>=0.1.0", "numpy>=2.0"), _RESERVOIR
        ),
        "fortran": Template(
            "Degree-day snow in Fortran, in a child process", "snow.f90", ("crest-fortran>=0.1.0",), _SNOW
        ),
        "bmi": Template(
            "Linear reservoir with the Basic Model Interface",
            "model.py",
            ("crest-bmi>=0.1.0", "bmipy>=2.0", "numpy>=2.0"),
            _RESERVOIR,
        ),
        "model-folder": Template(
            "Rainfall-runoff LSTM without code",
            "model.yaml",
            ("crest-models>=0.1.0",),
            weights="model/weights.safetensors",
        ),
    }
)
LICENCES = ("Apache-2.0", "BSD-3-Clause", "MIT", "MPL-2.0", "GPL-3.0-or-later")
