"""Run by the stage packaging in a process of its own: import a module, tell the time that takes and what it changes.

python -m crest_core.testing._probe MODULE        after torch and the core
python -m crest_core.testing._probe --light MODULE   with nothing before it; tells which heavy libraries it imports
python -m crest_core.testing._probe --serve       MODULE in a copy of this process, for every line on standard input

A copy (`fork`) of a process that has torch and the core is as fresh as one that has just imported them, which takes
seconds each time.
"""

import json
import os
import signal
import sys
from importlib import import_module, invalidate_caches
from time import perf_counter
from traceback import format_exception_only

HEAVY = ("torch", "xarray", "pint", "jax", "keras", "tensorflow", "onnx", "onnxruntime", "scipy", "pandas", "numpy")
PATIENCE = 120  # s; an import that takes longer is ended, and told as one of that time


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


def serve() -> None:
    """Answer requests, one JSON object a line, until there are no more."""
    import_module("crest_core.graph")
    import_module("crest_core.testing.surroundings")
    for line in iter(sys.stdin.readline, ""):
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(request: dict[str, object]) -> dict[str, object]:
    """Return the answer of a copy of this process: what `main` gives, or {"error": why there is none}."""
    reading, writing = os.pipe()
    number = os.fork()
    if not number:
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8") as answers:
            answers.write(json.dumps(_answer(request)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        text = answers.read()
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    if status == -signal.SIGALRM:
        return {"seconds": float(PATIENCE), "changes": {}}
    found: dict[str, object] = json.loads(text) if text else {"error": f"it ended with the status {status}"}
    return found


def _answer(request: dict[str, object]) -> dict[str, object]:
    """Import in the surroundings of who asks, away from the streams on which requests come and answers go."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    signal.alarm(PATIENCE)
    try:
        os.chdir(str(request["folder"]))
        os.environ.clear()
        os.environ.update(request["environment"])  # type: ignore[call-overload]
        sys.path[:] = request["path"]  # type: ignore[call-overload]
        invalidate_caches()
        return main([str(request["module"])])
    except BaseException as error:  # a module is other people's code, and may call sys.exit
        return {"error": format_exception_only(error)[-1].strip()}


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        answer = main(sys.argv[1:])
        sys.stdout.flush()
        print("\n" + json.dumps(answer))
