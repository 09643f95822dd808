"""Fixtures: a plugin with small models and weather on disk, a run file, and the command `crest`."""

import sys
from textwrap import dedent

import pytest
from crest_run import load_run

from crest_core.plugins import registry

PLUGIN = """
    from crest_core.plugins import hookimpl

    @hookimpl
    def register_components(register):
        register("bucket", "crest_core.testing:TorchBucket")
        register("stress", "crest_core.testing:Stress")
        register("lstm", "crest_core.testing:SmallLSTM")
        register("needy", "samples.more:Needy")
        register("black-bucket", "crest_core.testing:NumpyBucket")
        register("cwd", "os:getcwd")
        register("pair", "samples.more:pair")
        register("documented", "samples.more:Documented")
        register("hiding", "samples.more:Hiding")

    @hookimpl
    def register_archives(register):
        register("lists", "samples.more:Lists")

    @hookimpl
    def register_data_sources(register):
        register("weather", "samples.more:weather_of")
        register("folder", "os:getcwd")

    @hookimpl
    def register_dictionaries(register):
        register("own", "samples.more:DICTIONARY")
"""
MORE = """
    from pathlib import Path
    import torch
    import xarray as xr
    from crest_core import Connection, FieldSpec, Graph, PhysicalParameters
    from crest_core.testing import Stress, TorchBucket, weather

    DICTIONARY = Path(__file__).with_name("own.yaml")

    class Lists:
        # an archive that has what simulate needs, and no more
        def __init__(self):
            self.windows, self.last = [], None

        def commit(self, outputs, state, attributes):
            self.windows.append(outputs)
            self.last = state, dict(attributes)

        def load(self):
            return self.last

        def open(self):
            return xr.concat(self.windows, "time", data_vars="minimal")

    def weather_of(days: int, seed: int = 1):
        return weather(days, cells=2, seed=seed)

    def pair():
        lag = Connection("soil.storage", "evaporation.storage", lagged=True, initial=50.0)
        return Graph({"soil": TorchBucket(), "evaporation": Stress()}, [lag])

    class Documented(Stress):
        parameter_specs = (
            FieldSpec(name="share", units="1", dims=(), static=True, doc="Share of the rain that runs off"),
            FieldSpec(name="k", units="m s-1", standard_name="soil_hydraulic_conductivity", dims=("layer",)),
            FieldSpec(name="height", units="m", static=True),
        )

        def __init__(self):
            super().__init__()
            values = {"share": 0.5, "k": torch.arange(1.0, 4.0), "height": torch.arange(100.0)}
            self.more = PhysicalParameters(self.parameter_specs, values)

    class Hiding(Stress):
        # counts its steps outside its state
        def __init__(self):
            super().__init__()
            self.steps = 0

        def step(self, state, inputs, time):
            self.steps += 1
            outputs, state = super().step(state, inputs, time)
            return {name: value * (1.0 + 1e-6 * self.steps) for name, value in outputs.items()}, state

    class Needy(TorchBucket):
        inputs = property(lambda self: TorchBucket.inputs)

        def __init__(self, size):
            super().__init__(capacity=size)
"""
DICTIONARY = """
    field_dictionary:
      entries:
        - {standard_name: depth_of_puddles, canonical_units: m, description: water on roads}
"""
STORED = """\
graph:
  components:
    soil: {use: bucket}
    evaporation: {use: stress}
  connections:
    - {from: soil.storage, to: evaporation.storage, lagged: true, initial: 50.0}
forcing: {source: weather, with: {days: 40}}
window: 10D
output: {store: {path: store, keep: 9}}
"""
FILES = {"__init__.py": "", "_plugin.py": PLUGIN, "more.py": MORE, "own.yaml": DICTIONARY}
ODD = {
    "__init__.py": "",
    "_plugin.py": """
        from crest_core.plugins import hookimpl

        @hookimpl
        def register_components(register):
            register("clock", "datetime:date")
            register("here", "os:getcwd")
            register("ready", "odd.functions:ready")
            register("wanting", "odd.functions:wanting")
    """,
    "functions.py": """
        from crest_core.testing import TorchBucket

        def ready():
            return TorchBucket()

        def wanting(capacity):
            return TorchBucket(capacity)
    """,
}


def install(site, name, files):
    """Write a distribution with one plugin."""
    (site / name).mkdir(parents=True)
    for file, text in files.items():
        (site / name / file).write_text(dedent(text))
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[crest.plugins]\n{name} = {name}._plugin\n")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with two plugins; of these, `models` is found beside crest-run and nothing else."""
    before, site = set(sys.modules), tmp_path / "site"
    install(site, "samples", FILES)
    install(site, "odd", ODD)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("CREST_PLUGINS", "samples,crest-run,crest-store")
    registry.cache_clear()
    yield site
    registry.cache_clear()
    for name in {name for name in set(sys.modules) - before if name.partition(".")[0] in ("samples", "odd")}:
        del sys.modules[name]


@pytest.fixture
def run(models, tmp_path):
    """Write a run file and load it: that of `STORED`, or another text."""

    def run(text=STORED, name="run.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return load_run(tmp_path / name)

    return run


@pytest.fixture
def write(tmp_path):
    """Write a run file and return its path."""

    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def main(models):
    """The command, by the entry point that installs it."""
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="crest")
    return script.load()


@pytest.fixture
def crest(main, capsys):
    """Run `crest` in this process and return exit status, output and errors."""

    def crest(*words):
        with pytest.raises(SystemExit) as end:
            main(list(map(str, words)))
        return end.value.code or 0, *capsys.readouterr()

    return crest
