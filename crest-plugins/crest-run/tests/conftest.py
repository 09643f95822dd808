"""Fixtures: a plugin with small models and weather on disk, a run file, and the command `crest`."""

import sys
from textwrap import dedent

import pytest

from crest_core.plugins import registry

PLUGIN = """
    from crest_core.plugins import hookimpl

    @hookimpl
    def register_components(register):
        register("bucket", "crest_core.testing:TorchBucket")
        register("stress", "crest_core.testing:Stress")
        register("lstm", "crest_core.testing:SmallLSTM")
        register("needy", "models.more:Needy")
        register("black-bucket", "crest_core.testing:NumpyBucket")
        register("cwd", "os:getcwd")
        register("pair", "models.more:pair")

    @hookimpl
    def register_data_sources(register):
        register("weather", "models.more:weather_of")
        register("folder", "os:getcwd")

    @hookimpl
    def register_dictionaries(register):
        register("own", "models.more:DICTIONARY")
"""
MORE = """
    from pathlib import Path
    from crest_core import Connection, Graph
    from crest_core.testing import Stress, TorchBucket, weather

    DICTIONARY = Path(__file__).with_name("own.yaml")

    def weather_of(days: int, seed: int = 1):
        return weather(days, cells=2, seed=seed)

    def pair():
        lag = Connection("soil.storage", "evaporation.storage", lagged=True, initial=50.0)
        return Graph({"soil": TorchBucket(), "evaporation": Stress()}, [lag])

    class Needy(TorchBucket):
        def __init__(self, size):
            super().__init__(capacity=size)
"""
DICTIONARY = """
    field_dictionary:
      entries:
        - {standard_name: depth_of_puddles, canonical_units: m, description: water on roads}
"""
FILES = {"__init__.py": "", "_plugin.py": PLUGIN, "more.py": MORE, "own.yaml": DICTIONARY}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with one plugin, found beside crest-run and nothing else."""
    before, site = set(sys.modules), tmp_path / "site"
    (site / "models").mkdir(parents=True)
    for name, text in FILES.items():
        (site / "models" / name).write_text(dedent(text))
    info = site / "models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crest.plugins]\nmodels = models._plugin\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("CREST_PLUGINS", "models,crest-run")
    registry.cache_clear()
    yield site
    registry.cache_clear()
    for name in {name for name in set(sys.modules) - before if name.partition(".")[0] == "models"}:
        del sys.modules[name]
