"""Fixtures of the core's tests: a folder of fake distributions, found by importlib.metadata."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from crest_core.plugins import registry

HEAD = "from crest_core.plugins import hookimpl\n"


class Site:
    """A folder on sys.path into which tests install distributions with plugins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, name, source, *, version="1.0", point=None, modules=None, path=None):
        """Write a distribution whose `_plugin` has that source (None: the module is missing)."""
        path, package = path or self.path, name.replace("-", "_")
        info = path / f"{package}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        value = f"{package}._plugin" if point is None else point
        (info / "entry_points.txt").write_text(f"[crest.plugins]\n{package} = {value}\n")
        (path / package).mkdir()
        (path / package / "__init__.py").touch()
        if source is not None:
            (path / package / "_plugin.py").write_text(HEAD + dedent(source))
        for module, text in (modules or {}).items():
            (path / package / f"{module}.py").write_text(dedent(text))

    def hook(self, *lines, kind="components"):
        """Return the source of one hook that registers with these arguments."""
        body = "".join(f"    register({line})\n" for line in lines)
        return f"@hookimpl\ndef register_{kind}(register):\n{body}"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty site; modules that are imported from it are forgotten afterwards."""
    before = set(sys.modules)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("CREST_PLUGINS", raising=False)
    monkeypatch.delenv("CREST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    registry.cache_clear()
    yield Site(folder)
    registry.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def models(site, monkeypatch):
    """A site whose one plugin has small models and synthetic weather; other plugins are left out."""
    testing = "crest_core.testing.models"
    source = site.hook(
        f'"bucket", "{testing}:TorchBucket", summary="A bucket of water"',
        f'"black-bucket", "{testing}:NumpyBucket", summary="The same in numpy"',
        f'"stress", "{testing}:Stress", summary="Evaporation that a dry soil limits"',
        f'"lstm", "{testing}:SmallLSTM"',
        '"needy", "samples.more:Needy"',
    ) + site.hook('"weather", "samples.more:weather_of"', kind="data_sources")
    more = """
        from crest_core.testing.models import TorchBucket, weather

        def weather_of(days: int, seed: int = 1):
            return weather(days, cells=2, seed=seed)

        class Needy(TorchBucket):
            inputs = property(lambda self: TorchBucket.inputs)
            def __init__(self, size):
                super().__init__(capacity=size)
    """
    site.install("samples", source, modules={"more": more})
    monkeypatch.setenv("CREST_PLUGINS", "samples")
    return site
