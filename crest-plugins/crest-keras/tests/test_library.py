"""Which backend Keras gets, in processes of their own: it has one for life."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crest_keras.library import check_backend, keras_library, precision

from crest_core import ComponentError, PluginError

LAWS = Path(__file__).with_name("test_component.py")


def python(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True)


def test_where_nobody_chose_torch_is_chosen_and_the_environment_is_left_alone():
    code = (
        "import sys, os, crest_keras, crest_keras._plugin; assert not {'keras', 'torch'} & set(sys.modules)\n"
        "from crest_keras.library import keras_library\n"
        "assert keras_library().backend.backend() == 'torch' and 'KERAS_BACKEND' not in os.environ"
    )
    result = python("-c", code)
    assert result.returncode == 0, result.stderr


def test_a_backend_without_gradients_is_refused_before_keras_is_imported():
    code = (
        "import sys\nfrom crest_keras.library import keras_library\n"
        "try: keras_library()\nexcept LookupError as error: print(error)\nassert 'keras' not in sys.modules"
    )
    result = python("-c", code, KERAS_BACKEND="numpy")
    assert result.returncode == 0, result.stderr
    expected = (
        "Keras runs on its backend 'numpy' here (KERAS_BACKEND is 'numpy'), and a process has one only; expected one"
    )
    assert expected in result.stdout and "set KERAS_BACKEND=torch before Python starts" in result.stdout


def test_keras_that_was_imported_with_another_backend_is_refused():
    with pytest.raises(PluginError, match=r"'tensorflow' here \(Keras is already imported\)"):
        check_backend("tensorflow", "Keras is already imported")


def test_a_keras_that_loses_digits_in_another_way_is_refused():
    class Other:
        """A Keras without the table that this package knows."""

        __version__, config, backend = "9.0", keras_library().config, keras_library().backend

    with pytest.raises(ComponentError, match="Keras 9.0 computes float64 in float32 and would lose digits; convert"):
        with precision(Other, "float64"):
            pass
    with precision(Other, "float32"):
        assert keras_library().config.dtype_policy().name == "float32"


# A process with Keras and JAX takes seconds, and each model that JAX compiles some more. The fast one has the numbers,
# the gradients of a model with a state, and the process; the slow one all laws for the models that do not take minutes.
@pytest.mark.parametrize(
    "laws",
    [
        "gives_what_keras or process_is_left",
        pytest.param("laws and not images and not window and not (gradients and one_column)", marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_the_laws_hold_under_the_jax_backend_too(laws):
    arguments = (
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-k",
        laws,
        str(LAWS),
    )
    result = python(*arguments, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stdout + result.stderr
