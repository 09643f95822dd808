"""Run by the stage packaging in a process of its own: import a module, tell the time that takes and what it changes.

python -m crest_core.testing._probe MODULE        after torch and the core
python -m crest_core.testing._probe --light MODULE   with nothing before it; tells which heavy libraries it imports
"""

import json
import sys
from importlib import import_module
from time import perf_counter

HEAVY = ("torch", "xarray", "pint", "jax", "keras", "tensorflow", "onnx", "onnxruntime", "scipy", "pandas", "numpy")


def main(words: list[str]) -> dict[str, object]:
    """Return seconds, changes and heavy imports of a module's import."""
    if words[0] == "--light":
        began = perf_counter()
        import_module(words[1])
        return {"seconds": perf_counter() - began, "heavy": [name for name in HEAVY if name in sys.modules]}
    import_module("crest_core.graph")
    from crest_core.testing.surroundings import changes, look

    before, began = look(), perf_counter()
    import_module(words[0])
    seconds = perf_counter() - began
    return {"seconds": seconds, "changes": changes(before, look())}


if __name__ == "__main__":
    answer = main(sys.argv[1:])
    sys.stdout.flush()
    print("\n" + json.dumps(answer))
