"""URLs of catalogues: which are refused without a look-up, and what is fetched is what was promised."""

import hashlib
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crest_data import CatalogueError, load_catalogue, open_entry
from crest_data.catalogue.fetch import connect, fetch
from crest_data.catalogue.opening import open_dataset
from crest_data.catalogue.urls import check_public, check_url, https_url
from crest_data.catalogue.write import add_catalogue

HOSTS = {"data.example.org", "s3://bucket", "gs://bucket"}
CONTENT = b"some bytes"
SUM = hashlib.sha256(CONTENT).hexdigest()
LISTED = {"127.0.0.1", "10.0.0.1", "localhost", "printer.local", "[::1]", "127.1", "0x7f.0.0.1", "2130706433"}


@pytest.mark.parametrize("url", ["https://data.example.org/a.nc?x=1", "s3://bucket/a/b.nc", "gs://bucket/a.nc"])
def test_a_listed_public_host_is_read(url):
    assert check_url(url, HOSTS).path.endswith(".nc")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("simplecache::https://data.example.org/a", "chained protocols are not read"),
        ("reference::https://data.example.org/a", "chained protocols are not read"),
        ("zip://a::https://data.example.org/a", "chained protocols are not read"),
        ("http://data.example.org/a", "the scheme 'http' is not read; allowed: https://, s3://, gs://"),
        ("file:///etc/passwd", "the scheme 'file' is not read"),
        ("ftp://data.example.org/a", "the scheme 'ftp' is not read"),
        ("HTTPS://evil.org/a", "the host 'evil.org' is not allowed; allowed: "),
        ("https://data.example.org.evil.org/a", "is not allowed"),
        ("https://data.example.org@evil.org/a", "without user, password, port or #"),
        ("https://me:secret@data.example.org/a", "without user, password, port or #"),
        ("https://data.example.org:8080/a", "without user, password, port or #"),
        ("https://data.example.org:port/a", "no URL"),
        ("https:///a", "expected scheme://host/path"),
        ("https://data.example.org\\@evil.org/a", "expected a URL of plain characters"),
        ("https://data.example.org/a b", "expected a URL of plain characters"),
        ("https://dаta.example.org/a", "expected a URL of plain characters"),
        ("https://data.example.org/../a", "'..' leads out of the folder"),
        ("https://data.example.org/x/%2e%2e/a", "'..' leads out of the folder"),
        ("https://data.example.org/x/%252e%252e/a", "'..' leads out of the folder"),
        ("s3://other/a", "the host 's3://other' is not allowed"),
        ("https://localhost/a", "is a name of this machine"),
        ("https://printer.local/a", "is a name of this machine"),
        ("https://metadata/a", "is a name of this machine"),
        ("https://127.0.0.1/a", "its address 127.0.0.1 is of this machine"),
        ("https://169.254.169.254/latest", "its address 169.254.169.254 is of this machine"),
        ("https://10.0.0.1/a", "private network"),
        ("https://192.168.1.1/a", "private network"),
        ("https://[::1]/a", "chained protocols are not read"),
        ("https://[::ffff:127.0.0.1]/a", "chained protocols are not read"),
        ("https://[fe80::1]/a", "chained protocols are not read"),
        ("https://0.0.0.0/a", "is of this machine"),
        ("https://127.1/a", "is no name; give the name of the host"),
        ("https://0x7f.0.0.1/a", "is no name; give the name of the host"),
        ("https://2130706433/a", "is a name of this machine or of a local network"),
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_without_a_look_up(url, words):
    with pytest.raises(CatalogueError) as caught:
        check_url(url, HOSTS | LISTED)
    assert words in str(caught.value)


def test_a_name_that_leads_to_this_machine_is_refused():
    with pytest.raises(CatalogueError, match="is of this machine or a private network"):
        check_public("localhost", "https://localhost/a")
    with pytest.raises(CatalogueError, match="is of this machine or a private network"):
        connect(check_url("https://data.example.org/a", HOSTS)._replace(netloc="localhost"))


def test_public_buckets_are_read_by_https():
    assert https_url(check_url("s3://bucket/a/b", HOSTS)) == "https://bucket.s3.amazonaws.com/a/b"
    assert https_url(check_url("s3://a.b/c", {"s3://a.b"})) == "https://s3.amazonaws.com/a.b/c"
    assert https_url(check_url("gs://bucket/a", HOSTS)) == "https://storage.googleapis.com/bucket/a"


class Archive(BaseHTTPRequestHandler):
    """Serves what `server.pages` has: bytes, or the URL of a redirect."""

    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 302 if isinstance(page, str) else 200)
        if isinstance(page, str):
            self.send_header("Location", page)
        body = page if isinstance(page, bytes) else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Return a server and a function that connects any URL with it."""
    monkeypatch.setenv("CREST_CACHE", str(tmp_path / "cache"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    server.pages, server.asked = {}, []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    server.connect = lambda parts: HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_is_fetched_once_and_is_what_was_promised(archive):
    archive.pages["/a.nc"] = CONTENT
    for _ in range(2):
        path = fetch("https://data.example.org/a.nc", SUM, len(CONTENT), HOSTS, connect=archive.connect)
    assert path.read_bytes() == CONTENT and path.name == "a.nc"
    assert archive.asked == ["/a.nc"]
    path.write_bytes(CONTENT[::-1])  # damage in the cache is found, and mended
    path = fetch("https://data.example.org/a.nc", SUM, len(CONTENT), HOSTS, connect=archive.connect)
    assert path.read_bytes() == CONTENT and archive.asked == ["/a.nc"] * 2


@pytest.mark.parametrize("held", [b"other byte", b"some byte", b"x" * 5_000_000, b""])
def test_another_content_is_not_kept(archive, tmp_path, held):
    archive.pages["/a.nc"] = held
    with pytest.raises(CatalogueError, match="expected 10 bytes with .*; nothing of it is kept"):
        fetch("https://data.example.org/a.nc", SUM, len(CONTENT), HOSTS, connect=archive.connect)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("target", ["https://evil.org/a.nc", "http://data.example.org/a.nc", "https://127.0.0.1/a.nc"])
def test_a_redirect_is_judged_like_any_url(archive, target):
    archive.pages |= {"/a.nc": target}
    with pytest.raises(CatalogueError, match="not allowed|not read|of this machine"):
        fetch("https://data.example.org/a.nc", SUM, len(CONTENT), HOSTS, connect=archive.connect)
    assert archive.asked == ["/a.nc"]


def test_redirects_end_and_absent_files_are_told(archive):
    archive.pages |= {"/a.nc": "/b.nc", "/b.nc": CONTENT, "/c.nc": "/c.nc"}
    assert fetch("https://data.example.org/a.nc", SUM, len(CONTENT), HOSTS, connect=archive.connect).is_file()
    for name, words in (("c", "more than 5 redirects"), ("d", "the host answers 404")):
        with pytest.raises(CatalogueError, match=words):
            fetch(f"https://data.example.org/{name}.nc", "0" * 64, 1, HOSTS, connect=archive.connect)


def remote(folder, archive, change=lambda text: text):
    archive.pages["/data/brook.csv"] = (folder / "brook.csv").read_bytes()
    archive.pages["/data/brook.yaml"] = change((folder / "brook.yaml").read_text()).encode()
    return load_catalogue("https://data.example.org/data/brook.yaml", connect=archive.connect)


def test_a_catalogue_that_is_read_by_url_has_its_files_beside_it(folder, archive):
    catalogue = remote(folder, archive)
    dataset = open_dataset(catalogue["daily"], connect=archive.connect)
    assert dataset.equals(open_entry("daily", catalogue=folder / "brook.yaml"))


def test_an_added_catalogue_keeps_the_urls_of_its_files(folder, archive):
    remote(folder, archive)
    added = add_catalogue("https://data.example.org/data/brook.yaml", connect=archive.connect)
    assert added["daily"].section.files["path"].url == "https://data.example.org/data/brook.csv"
    assert added.hosts == {"data.example.org"}
    assert open_entry("brook/daily").sizes["time"] == 10  # from the cache


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("path: brook.csv", "path: ../../etc/passwd", "with / and without .."),
        ("path: brook.csv", "path: /etc/passwd", "expected a path within this folder"),
        ("path: brook.csv", "path: ~/secret", "expected a path within this folder"),
        ("path: brook.csv", "path: file:///etc/passwd", "expected a path within this folder"),
        ("path: brook.csv", "url: 'https://evil.org/a'", "the host 'evil.org' is not allowed"),
        ("entries:", "hosts: [evil.org]\nentries:", "evil.org must be allowed by who reads it: --host evil.org"),
        ("entries:", "folder: /etc\nentries:", "names no folder; take it out"),
        ("licence:", "package: {name: spotpy, install: x}\n    licence:", "names no package of this machine"),
        (", sha256: ", ", parts: {}}\n#", "a file that is fetched needs sha256 and size"),
    ],
)
def test_a_catalogue_that_is_read_by_url_names_nothing_of_this_machine(folder, archive, old, new, words):
    with pytest.raises(CatalogueError) as caught:
        remote(folder, archive, lambda text: text.replace(old, new))
    assert words in str(caught.value)


def test_a_url_needs_a_sum_and_a_listed_host(folder, write):
    for old, new, words in (
        ("path: brook.csv", "url: 'https://data.example.org/a'", "the host 'data.example.org' is not allowed"),
        (", sha256: ", ", url: 'https://data.example.org/a'}\n#", "expected one of the keys path and url"),
        ("path: brook.csv, sha256: ", "url: 'https://data.example.org/a'}\n#", "a url needs the sha256 and size"),
    ):
        path = write(folder, lambda text, old=old, new=new: text.replace(old, new))
        with pytest.raises(CatalogueError) as caught:
            load_catalogue(path)
        assert words in str(caught.value)
