"""Catalogues that try to run code, as those of Intake can: each is refused, and nothing ran."""

import pytest
from crest_data import CatalogueError, load_catalogue

TEMPLATE = """\
version: 2
metadata: {}
user_parameters: {}
aliases: {evil: evil}
data:
  d: {datatype: "intake.readers.datatypes:Text", kwargs: {url: "{{ cycler.__init__.__globals__.os.system('CODE') }}"}}
entries:
  evil:
    {reader: "intake.readers.readers:FileTextReader", kwargs: {data: "{data(d)}"}, metadata: {}, user_parameters: {}}
"""
MODULE = """\
version: 2
aliases: {evil: evil}
data: {}
entries:
  evil:
    reader: intake.readers.catalogs:PythonModule
    kwargs: {module_name: ran}
    metadata: {}
    user_parameters: {}
"""
PICKLE = """\
version: 2
aliases: {evil: evil}
data: {}
entries:
  evil:
    reader: intake.readers.readers:PandasCSV
    kwargs: {data: "{pickle64(gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAVDT0RFlIWUUpQu)}"}
    metadata: {}
    user_parameters: {}
"""
NAME = """\
version: 2
aliases: {evil: evil}
data: {}
entries:
  evil:
    reader: intake.readers.transform:Method
    kwargs: {data: "{func(os:system)}", args: [CODE]}
    metadata: {imports: [ran]}
    user_parameters: {}
"""
OLD = """\
plugins: {source: [{module: ran}]}
sources:
  evil: {driver: ran.Source, args: {urlpath: "{{ env(HOME) }}"}}
"""
TAG = "sources: !!python/object/apply:os.system [CODE]\n"
OURS = """\
crest_catalogue: 1
name: evil
summary: evil
entries:
  evil:
    summary: evil
    reader: READER
    arguments: {path: VALUE}
    licence: x
    citation: y
"""


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Return a function that loads a text; it fails the test if code of the text ran."""
    ran = tmp_path / "it-ran"
    (tmp_path / "ran.py").write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def load(text):
        path = tmp_path / "catalogue.yaml"
        path.write_text(text.replace("CODE", f"touch {ran}"), encoding="utf-8")
        with pytest.raises(CatalogueError) as caught:
            load_catalogue(path)
        assert not ran.exists()
        return str(caught.value)

    return load


@pytest.mark.parametrize("text", [TEMPLATE, MODULE, PICKLE, NAME, OLD], ids=["jinja", "module", "pickle", "name", "v1"])
def test_a_catalogue_of_intake_is_not_read(tried, text):
    message = tried(text)
    assert "this is a catalogue of Intake, which can run code when it is opened; it is not read" in message
    assert "write its entries in CREST's schema" in message


def test_a_tag_of_python_is_not_built(tried):
    assert "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read" in tried(TAG)


@pytest.mark.parametrize(
    ("reader", "value", "words"),
    [
        ("intake.readers.catalogs:PythonModule", "ran", "never an import path"),
        ("ran:Source", "x", "never an import path"),
        ("ran.Source", "x", "never an import path"),
        ("csv", "'{{ x }}'", "templates are not read"),
        ("csv", "'{pickle64(gASV)}'", "templates are not read"),
        ("csv", "'{func(os:system)}'", "templates are not read"),
        ("csv", "'{env(HOME)}'", "templates are not read"),
        ("csv", "[{a: ['{% x %}']}]", "templates are not read"),
    ],
)
def test_the_same_tricks_in_our_own_schema_are_refused(tried, reader, value, words):
    assert words in tried(OURS.replace("READER", reader).replace("VALUE", value))
