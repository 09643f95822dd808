"""Run `crest` as `python -m crest_core`."""

from crest_core.cli import main

main()
