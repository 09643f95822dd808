"""A small catalogue of a file of its own, and a place for the catalogues of the user."""

import hashlib

import pytest

ROWS = "Date;rain;flow\n" + "".join(f"{day:02d}.01.2000;{day};{day / 2}\n" for day in range(1, 11))
CATALOGUE = """\
crest_catalogue: 1
name: brook
summary: A brook of our own
entries:
  daily:
    summary: Ten days of rain and flow
    reader: csv
    files:
      path: {{path: brook.csv, sha256: {sha256}, size: {size}}}
    arguments:
      separator: ;
      time: Date
      time_format: "%d.%m.%Y"
      places: {{brook: [51.0, 9.0]}}
      variables:
        rain: {{name: precipitation, units: mm day-1, bounds: [0, 500]}}
        flow: {{name: discharge, units: m3 s-1}}
    parameters:
      step: {{type: text, default: 1D, choices: [1D, 1h], summary: length of a step}}
      zone: {{type: text, default: UTC, summary: zone of the days, argument: time_zone}}
    licence: CC-BY-4.0
    citation: Nobody (2000)
    period: ["2000-01-01", "2000-01-11"]
    variables: {{precipitation: mm day-1, discharge: m3 s-1}}
"""


@pytest.fixture
def write():
    """Return the function that writes the catalogue anew."""
    return write_brook


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a catalogue and its file; the user's own catalogues are elsewhere, and empty."""
    monkeypatch.setenv("CREST_CATALOGUES", str(tmp_path / "shelf"))
    (tmp_path / "data").mkdir()
    write_brook(tmp_path / "data")
    return tmp_path / "data"


def write_brook(folder, change=lambda text: text):
    """Write the file and the catalogue, changed; return the path of the catalogue."""
    content = ROWS.encode()
    (folder / "brook.csv").write_bytes(content)
    text = CATALOGUE.format(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    (folder / "brook.yaml").write_text(change(text), encoding="utf-8")
    return folder / "brook.yaml"
