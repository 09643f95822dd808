"""What the config.json of a .keras file may name: Keras's own layers and what they are made of, nothing else.

Keras imports the modules that a configuration names and calls their classes; several releases let files run code in
this way (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2026-1462) or read other files (CVE-2025-12058). Here a file
is walked before Keras sees it, and everything that is not on the list is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Any

from crest_core import StoreError

PUBLIC = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.activations")
MODELS = {
    ("keras", "Sequential"),
    ("keras", "Model"),
    ("keras", "Functional"),
    ("keras.models", "Sequential"),
    ("keras.models", "Model"),
    ("keras.models", "Functional"),
    ("keras.src.models.functional", "Functional"),
    ("keras.src.models.sequential", "Sequential"),
    ("keras", "DTypePolicy"),
    ("keras.dtype_policies", "DTypePolicy"),
    ("keras.random", "SeedGenerator"),
    ("keras.src.random.seed_generator", "SeedGenerator"),
}
OPERATIONS = re.compile(r"keras\.src\.ops\.(numpy|math|nn|linalg|core|einops)")
REFUSED = {
    "Lambda": "runs code that is stored in the file",
    "TorchModuleWrapper": "opens a pickle",
    "TFSMLayer": "opens another model by its path",
    "JaxLayer": "runs code that is stored in the file",
    "FlaxLayer": "runs code that is stored in the file",
    "StringLookup": "opens a file of words by its path",
    "IntegerLookup": "opens a file of numbers by its path",
    "TextVectorization": "opens a file of words by its path",
}
PLAIN = {"__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__"}
ADDRESSES = {"shared_object_id", "seed"}
MAX_NUMBER = 10**7
MAX_ELEMENTS = 10**8
MAX_DEPTH = 100


def check_config(who: str, config: Any, keras: Any) -> None:
    """Raise StoreError for a configuration that names anything but Keras's own parts, or giant sizes."""
    if not isinstance(config, dict) or config.get("class_name") not in ("Sequential", "Functional", "Model"):
        named = config.get("class_name") if isinstance(config, dict) else type(config).__name__
        raise StoreError(
            f"{who}: expected a Sequential or functional model, got {named!r}; a model with code of its own is built "
            f"in Python and handed over instead of the file"
        )
    for place, node in _nodes(who, config):
        _check_node(f"{who}, {place}", node, keras)
        for key, value in node.items():
            numbers = value if isinstance(value, list) else [value]
            large = [number for number in numbers if isinstance(number, int) and abs(number) > MAX_NUMBER]
            if large and key not in ADDRESSES:
                raise StoreError(
                    f"{who}, {place}: {key} is {large[0]:g}, more than {MAX_NUMBER:g}; no real model has it"
                )
            elements = abs(prod(number for number in numbers if isinstance(number, int) and number))
            if "shape" in key and elements > MAX_ELEMENTS:
                raise StoreError(
                    f"{who}, {place}: {key} {value} is of {elements:g} numbers, more than {MAX_ELEMENTS:g}; no real "
                    f"model has it"
                )


def _check_node(where: str, node: dict[str, Any], keras: Any) -> None:
    """Raise StoreError unless a dict names one of the allowed classes or functions, or nothing."""
    name, module, registered = node.get("class_name"), node.get("module"), node.get("registered_name")
    if name is None:
        return
    if isinstance(name, str) and name in REFUSED:
        raise StoreError(f"{where}: {name} {REFUSED[name]} and is never loaded; replace it before saving the model")
    if isinstance(name, str) and name in PLAIN:
        return
    wanted = node.get("config") if name == "function" else name
    if isinstance(wanted, str) and isinstance(module, str) and registered in (None, name, wanted):
        if (module, wanted) in MODELS or (name == "function" and module == "builtins" and wanted.isidentifier()):
            return
        if wanted.isidentifier() and (_is_public(keras, module, wanted) or _is_operation(keras, module, wanted)):
            return
    raise StoreError(
        f"{where}: {module}.{wanted} (registered as {registered!r}) is no layer, initializer, regularizer, constraint, "
        f"activation or operation of Keras {keras.__version__}; what a file names is not imported: build the model in "
        f"Python and hand it over"
    )


def _is_public(keras: Any, module: str, name: str) -> bool:
    """Return whether a public module of Keras lists the name; nothing is imported."""
    return module in PUBLIC and name in dir(getattr(keras, module.partition(".")[2]))


def _is_operation(keras: Any, module: str, name: str) -> bool:
    """Return whether the name is an operation of a functional model; nothing is imported."""
    if not OPERATIONS.fullmatch(module):
        return False
    found: Any = keras
    for part in module.split(".")[1:]:
        found = vars(found).get(part)
    kind = vars(found).get(name) if found is not None else None
    return isinstance(kind, type) and issubclass(kind, keras.Operation)


def _nodes(who: str, config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every dict of a configuration with its place, without recursion."""
    open_nodes: list[tuple[str, int, Any]] = [("config.json", 0, config)]
    while open_nodes:
        place, depth, node = open_nodes.pop()
        if depth > MAX_DEPTH:
            raise StoreError(f"{who}: config.json is nested more than {MAX_DEPTH} levels deep; no real model is")
        if isinstance(node, dict):
            yield place, node
            inner = [(key, value) for key, value in node.items() if key != "compile_config"]  # is taken out unread
            open_nodes += [(f"{place}/{key}", depth + 1, value) for key, value in inner]
        elif isinstance(node, list):
            open_nodes += [(place, depth + 1, value) for value in node]
