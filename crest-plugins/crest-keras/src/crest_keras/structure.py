"""A Keras model without its values: a pure function of its variables and inputs, for each number type."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from crest_core import ComponentError, FieldError
from crest_keras.configuration import config_hash, hidden_memory, in_precision, without_compiling
from crest_keras.library import keras_library, own_random_state, precision

Values = dict[str, np.ndarray]


class Structure:
    """What a model computes, in float32 and float64 as it is called; it holds no weights.

    Variables are named by their path in Keras without the name of the model. A model that Keras cannot build again from
    its configuration, such as one with code of its own and no get_config, runs in the number type that it has.
    """

    def __init__(self, model: Any, *, inputs: Sequence[str], states: Sequence[str], outputs: Sequence[str]) -> None:
        self.keras = keras_library()
        if not model.built:
            raise ComponentError(f"Keras model {model.name} has no weights yet; call it once, or give it keras.Input")
        self.model, self.name, self.inputs, self.states = (model, model.name, tuple(inputs), tuple(states))
        self.outputs = tuple(outputs)
        try:
            self.config = without_compiling(self.keras.saving.serialize_keras_object(model))
        except (NotImplementedError, TypeError, ValueError):  # a model with code of its own that Keras cannot describe
            self.config = None
        memory = hidden_memory(self.config)
        if memory:
            raise ComponentError(
                f"Keras model {model.name}: the layers {memory} keep their state inside (stateful=True); make the "
                f"state an input and an output with return_state=True"
            )
        self.variables = [variable.path.removeprefix(f"{model.name}/") for variable in model.variables]
        if len(set(self.variables)) < len(self.variables):
            twice = sorted({name for name in self.variables if self.variables.count(name) > 1})
            raise ComponentError(f"Keras model {model.name}: {twice} are several variables; name its layers apart")
        self.keys = self._check_inputs()
        takes = inspect.signature(model.call).parameters
        self._inference = {"training": False} if "training" in takes else {}
        self._built: dict[str, Any] = {}
        self._fixed = [_whole_numbers(variable) for variable in model.variables]

    def __deepcopy__(self, memo: dict[int, Any]) -> Structure:
        """Return itself: it holds no weights, and copies of a component share it."""
        return self

    def values(self) -> Values:
        """Return the real variables: float64 if any of them is, else float32."""
        pairs = zip(self.variables, self.model.variables, self._fixed, strict=True)
        found = {name: _numbers(value) for name, value, fixed in pairs if fixed is None}
        kind = np.float64 if any(value.dtype == np.float64 for value in found.values()) else np.float32
        return {name: np.array(value, kind) for name, value in found.items()}

    def frozen(self) -> list[str]:
        """Return the real variables that Keras does not train: statistics, and layers with trainable=False."""
        trained = {id(variable) for variable in self.model.trainable_variables}
        triples = zip(self.variables, self.model.variables, self._fixed, strict=True)
        return [name for name, value, fixed in triples if fixed is None and id(value) not in trained]

    def prepare(self, kind: str) -> None:
        """Build the model for a number type, outside of any tracing and without memory for weights."""
        if kind not in self._built:
            self._built[kind] = self._again(kind)

    def function(self, parameters: Mapping[str, Any], **arrays: Any) -> list[Any]:
        """Return results, then the new state, of arrays by the names of inputs and states."""
        kinds = {str(value.dtype).removeprefix("torch.") for value in (*parameters.values(), *arrays.values())}
        if len(kinds) > 1:
            raise ComponentError(
                f"Keras model {self.name}: expected weights and inputs of one number type, got {sorted(kinds)}; "
                f"convert the component with .float() or .double()"
            )
        (kind,) = kinds
        model = self._built[kind]
        triples = zip(self.variables, model.variables, self._fixed, strict=True)
        values = {id(variable): parameters[name] if fixed is None else fixed for name, variable, fixed in triples}
        given = {key: arrays[name] for key, name in zip(self.keys, (*self.inputs, *self.states), strict=True)}
        with precision(self.keras, kind):
            returned, _ = model.stateless_call(
                [values[id(variable)] for variable in model.trainable_variables],
                [values[id(variable)] for variable in model.non_trainable_variables],
                given if len(given) > 1 else next(iter(given.values())),
                **self._inference,
            )
        return self._results(returned)

    def describe(self) -> str:
        """Return name, size and a hash of the configuration, for print and the graph hash."""
        return f"{self.name}, {len(self.variables)} variables, configuration {config_hash(self.config)}"

    def _again(self, kind: str) -> Any:
        """Return the model built again from its configuration, or itself where that cannot be and is not needed."""
        pairs = zip(self.model.variables, self._fixed, strict=True)
        own = sorted({str(variable.dtype) for variable, fixed in pairs if fixed is None})
        reason: object = "it has no get_config"
        if self.config is not None:
            shapes_only = self.keras.StatelessScope(initialize_variables=False)
            known = self.keras.saving.CustomObjectScope(_own_classes(self.model))
            try:
                with precision(self.keras, kind), own_random_state(), shapes_only, known:
                    return self.keras.saving.deserialize_keras_object(in_precision(self.config, kind))
            except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
                reason = error
        if own in ([], [kind]):
            return self.model
        raise ComponentError(
            f"Keras model {self.name} of {own} cannot be built again in {kind}: {reason}; build it with "
            f"keras.config.set_dtype_policy({kind!r})"
        )

    def _results(self, returned: Any) -> list[Any]:
        wanted = (*self.outputs, *self.states)
        if isinstance(returned, dict):
            lost = [name for name in wanted if name not in returned]
            found = [] if lost else [returned[name] for name in wanted]
        else:
            found = list(returned) if isinstance(returned, list | tuple) else [returned]
        if len(found) != len(wanted):
            got = sorted(returned) if isinstance(returned, dict) else f"{len(found)} of them"
            raise ComponentError(
                f"Keras model {self.name}: expected an array for each of {wanted}, in order, got {got}"
            )
        return found

    def _check_inputs(self) -> tuple[str, ...]:
        """Return the model's names for our inputs and states; one input may have any name."""
        given = (*self.inputs, *self.states)
        tensors = getattr(self.model, "inputs", None)
        if not tensors:  # a model with code of its own
            return given
        names = [tensor._keras_history.operation.name for tensor in tensors]
        if len(given) == len(names) == 1:
            return tuple(names)
        if set(given) != set(names):
            raise FieldError(
                f"Keras model {self.name} has the inputs {names}, the maps are {list(given)}; name input_maps and "
                f"state_maps as the keras.Input"
            )
        return given


def _whole_numbers(variable: Any) -> np.ndarray | None:
    """Return the values of a variable that is no real number, such as the state of a seed, else None."""
    real = str(variable.dtype).endswith(("float16", "float32", "float64"))
    return None if real else _numbers(variable)


def _numbers(variable: Any) -> np.ndarray:
    """Return a copy of the values of a variable, bfloat16 as float32."""
    value = variable.value
    if isinstance(value, torch.Tensor):
        plain = value.detach().cpu()
        value = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return np.array(value)


def _own_classes(model: Any) -> dict[str, type]:
    """Return the classes of a model and of the layers listed in it that are not Keras's own."""
    kinds = [type(layer) for layer in (model, *getattr(model, "layers", ()))]
    return {kind.__name__: kind for kind in kinds if not kind.__module__.startswith("keras.")}
