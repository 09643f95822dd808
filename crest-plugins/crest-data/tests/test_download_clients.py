"""The clients that the field uses take our calls: cdsapi against a store on this machine, earthaccess unsent."""

import inspect
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crest_data import DataError, download_cds, download_earthdata, earthdata_request, era5_request

AREA = (52.0, 8.0, 50.0, 10.0)
CONTENT = b"CDF\x01 what the store made"
PROCESS = "/api/retrieve/v1/processes/reanalysis-era5-single-levels"
JOB = "/api/retrieve/v1/jobs/1"


class Store(BaseHTTPRequestHandler):
    """A Climate Data Store that has every answer ready; keeps what it was asked."""

    def do_GET(self):
        if self.path == "/made.nc":
            return self._answer(CONTENT)
        size = self.server.size
        asset = {"href": f"{self.server.root}/made.nc", "file:size": size, "type": "application/netcdf"}
        answers = {
            PROCESS: {"id": "reanalysis-era5-single-levels"},
            JOB: {"jobID": "1", "status": "successful"},
            f"{JOB}/results": {"asset": {"value": asset}},
        }
        return self._answer(json.dumps(answers.get(self.path.partition("?")[0], {})).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(body)["inputs"], self.headers["PRIVATE-TOKEN"]))
        job = {"jobID": "1", "status": "accepted", "links": [{"rel": "monitor", "href": f"{self.server.root}{JOB}"}]}
        self._answer(json.dumps(job).encode())

    def _answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def store(monkeypatch):
    """Return a store on this machine, whose address and key the client finds as it finds the true ones."""
    pytest.importorskip("cdsapi", reason="the extra cds of crest-data is not installed")
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        server.root, server.asked, server.size = f"http://127.0.0.1:{server.server_port}", [], len(CONTENT)
        monkeypatch.setenv("CDSAPI_URL", f"{server.root}/api")
        monkeypatch.setenv("CDSAPI_KEY", "a-key")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_cdsapi_sends_the_request_as_it_is_and_brings_the_file(store, tmp_path):
    asked = era5_request(["2m_temperature"], "2020-02", area=AREA)
    path = download_cds(asked, tmp_path / "february.nc")
    assert path.read_bytes() == CONTENT and [file.name for file in tmp_path.iterdir()] == ["february.nc"]
    assert store.asked == [(f"{PROCESS}/execution", asked.request, "a-key")]


def test_a_file_that_came_in_part_is_not_taken_for_the_file(store, tmp_path):
    store.size = len(CONTENT) + 1
    words = (
        r"february.nc: the Climate Data Store did not give it \(.* out of 25.*accepted once, are at \S*/requests and "
        r"\S*/datasets/reanalysis-era5-single-levels: mend what is said there, or ask for less, and ask again"
    )
    with pytest.raises(DataError, match=words):
        download_cds(era5_request(["2m_temperature"], "2020-02", area=AREA), tmp_path / "february.nc")
    assert not (tmp_path / "february.nc").exists()


def test_earthaccess_takes_the_search_and_the_download():
    earthaccess = pytest.importorskip("earthaccess", reason="the extra earthdata of crest-data is not installed")
    asked = earthdata_request("SPL3SMP_E", "006", area=AREA, start="2020-01-01", end="2020-01-31")
    inspect.signature(earthaccess.search_data).bind(**asked.keywords(), count=1001)
    inspect.signature(earthaccess.download).bind([], "folder")
    inspect.signature(earthaccess.login).bind()
    sent = earthaccess.DataGranules().parameters(**asked.keywords()).params  # refuses what it does not know
    assert sent["short_name"] == "SPL3SMP_E" and sent["version"] == "006"
    assert sent["bounding_box"] == "8.0,50.0,10.0,52.0"
    assert sent["temporal"] == ["2020-01-01T00:00:00Z,2020-01-31T23:59:59Z"]


@pytest.mark.parametrize(("found", "words"), [(0, "none found"), (3, "more than 2 found")])
def test_a_search_that_finds_nothing_or_too_much_fetches_nothing(monkeypatch, tmp_path, found, words):
    earthaccess = pytest.importorskip("earthaccess", reason="the extra earthdata of crest-data is not installed")
    monkeypatch.setattr(earthaccess, "login", lambda: None)
    monkeypatch.setattr(earthaccess, "search_data", lambda count, **_: ["granule"] * min(found, count))
    asked = earthdata_request("SPL3SMP_E", "006", area=AREA, start="2020-01-01", end="2020-01-31")
    with pytest.raises(DataError, match=f"SPL3SMP_E 006: {words}; change area, start or end, or raise most"):
        download_earthdata(asked, tmp_path, most=2)
