"""Catalogues that crest-data ships."""

from pathlib import Path

SAMPLES = Path(__file__).parent / "samples.yaml"
