"""Prepare `.venv` and run one task in it; needs nothing but Python's standard library.

    python3 tools/bootstrap.py env                  prepare .venv only
    python3 tools/bootstrap.py demo [ARGS...]       the five-component twin on real data
    python3 tools/bootstrap.py test [PYTEST ARGS]   the fast test suite
    python3 tools/bootstrap.py check [STAGE...]     all that must hold before a change lands
    python3 tools/bootstrap.py docs [serve]         build the documentation, or serve it locally

The first call installs everything once; later calls only look whether something changed. Exact
versions come from constraints.txt. pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, a pip.conf)
are respected.
"""

import sys

OLDEST_PYTHON = (3, 11)


def main(arguments: list) -> int:
    """Run the task named by the first argument; returns the process exit status."""
    # The tools use newer syntax, so the version is checked before they are imported.
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(
            "CREST needs Python 3.11 or newer, this is %s (%s); name another one: "  # noqa: UP031
            "make PYTHON=python3.12 ...\n" % (found, sys.executable)
        )
        return 2
    from tasks import run_task

    return run_task(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
