"""Keras itself: imported on first use, with a backend that CREST can put on its tape."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crest_core import ComponentError, PluginError

BACKENDS = ("torch", "jax")
VARIABLE = "KERAS_BACKEND"


def keras_library() -> Any:
    """Return the module keras; where nobody has chosen its backend, it is torch.

    Keras takes its backend when it is imported, for the whole process. If it is not yet imported and KERAS_BACKEND is
    not set, the variable is set for the import only; a backend in Keras's own configuration file does not count.
    """
    given = os.environ.get(VARIABLE)
    if "keras" not in sys.modules and given is not None:
        check_backend(given, f"{VARIABLE} is {given!r}")
    if "keras" in sys.modules or given is not None:
        import keras  # type: ignore[import-untyped]
    else:
        os.environ[VARIABLE] = BACKENDS[0]
        try:
            import keras
        finally:
            del os.environ[VARIABLE]
    check_backend(keras.backend.backend(), "Keras is already imported")
    return keras


def check_backend(name: str, how: str) -> None:
    """Raise PluginError for a backend whose gradients CREST cannot have."""
    if name not in BACKENDS:
        raise PluginError(
            f"Keras runs on its backend {name!r} here ({how}), and a process has one only; expected one of "
            f"{', '.join(BACKENDS)}: set {VARIABLE}=torch before Python starts"
        )


@contextmanager
def own_random_state() -> Iterator[None]:
    """Leave Python's random generator, from which Keras draws default seeds, as it was."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def precision(keras: Any, kind: str) -> Iterator[None]:
    """Let models be built and run in one number type, "float32" or "float64".

    Models, unlike layers, take the policy of the process. And Keras 3 makes float32 out of float64 in most operations,
    whatever the policy, to be alike in all backends: a table says so, which is changed in here and put back. Raises
    ComponentError where this Keras has no such table and would lose digits.
    """
    policy, table = keras.config.dtype_policy(), _rounding_table(keras)
    kept = dict(table)
    keras.config.set_dtype_policy(kind)
    if kind == "float64":
        table.update({name: name for name in table if name == kind})
    try:
        if keras.backend.result_type(kind, kind) != kind:
            raise ComponentError(
                f"Keras {keras.__version__} computes float64 in float32 and would lose digits; convert the component "
                f"with .float(), or install a Keras that this version of crest-keras knows"
            )
        yield
    finally:
        table.update(kept)
        keras.config.set_dtype_policy(policy)


def _rounding_table(keras: Any) -> dict[str, str]:
    """Return Keras's own table of what it makes of 64-bit types, an empty one if it has none."""
    try:
        return keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE
    except AttributeError:
        return {}
