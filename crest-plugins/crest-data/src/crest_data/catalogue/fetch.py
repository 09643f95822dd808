"""Fetch by https: every address looked at, every redirect judged, nothing above its size, kept if its sum fits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import SplitResult, urljoin, urlsplit

import platformdirs

from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.sums import sums
from crest_data.catalogue.urls import check_address, check_public, check_url, https_url

Connect = Callable[[SplitResult], HTTPConnection]
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCK = 1 << 20  # bytes
_SECONDS = 60.0  # without an answer


def cache_folder() -> Path:
    """Return where fetched files are kept: CREST_CACHE, or the user's cache folder."""
    given = os.environ.get("CREST_CACHE", "")
    return (Path(given) if given else platformdirs.user_cache_path("crest")) / "data"


def connect(parts: SplitResult) -> HTTPConnection:
    """Return a connection to a public host; the address that is really connected to is looked at as well."""
    host = parts.hostname or ""
    check_public(host, parts.geturl())
    connection = HTTPSConnection(host, timeout=_SECONDS)
    connection.connect()
    check_address(str(connection.sock.getpeername()[0]), parts.geturl())
    return connection


def fetch(url: str, sha256: str, size: int, hosts: Collection[str], *, connect: Connect = connect) -> Path:
    """Return a file of exactly this size and sum: from the cache, or fetched into it."""
    name = check_url(url, hosts).path.rpartition("/")[2] or "file"
    path = cache_folder() / sha256 / name
    if path.is_file() and sums(path) == (size, sha256):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, count = hashlib.sha256(), 0
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            for block in _blocks(url, hosts, size, connect):
                digest.update(block)
                count += len(block)
                file.write(block)
            if (count, digest.hexdigest()) != (size, sha256):
                raise CatalogueError(
                    f"{url}: got {count} bytes with sha256 {digest.hexdigest()}, expected {size} bytes with {sha256}; "
                    f"nothing of it is kept"
                )
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return path


def read_small(url: str, hosts: Collection[str], *, largest: int, connect: Connect = connect) -> bytes:
    """Return the content of a small file; CatalogueError above `largest` bytes."""
    content = b"".join(_blocks(url, hosts, largest, connect))
    if len(content) > largest:
        raise CatalogueError(f"{url}: more than {largest} bytes; no catalogue is as large")
    return content


def _blocks(url: str, hosts: Collection[str], largest: int, connect: Connect) -> Iterator[bytes]:
    """Yield the content up to one block above `largest` bytes."""
    connection, response = _answer(url, hosts, connect)
    count = 0
    try:
        while count <= largest and (block := response.read(_BLOCK)):
            count += len(block)
            yield block
    except (OSError, HTTPException) as error:
        raise CatalogueError(f"{url}: the connection broke after {count} bytes: {error}") from error
    finally:
        connection.close()


def _answer(url: str, hosts: Collection[str], connect: Connect) -> tuple[HTTPConnection, HTTPResponse]:
    """Return the answer, after at most 5 redirects within the allowed hosts."""
    here = https_url(check_url(url, hosts))
    allowed = {*hosts, urlsplit(here).hostname or ""}
    for _ in range(6):
        parts = check_url(here, allowed)
        try:
            connection = connect(parts)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"User-Agent": "crest-data", "Accept-Encoding": "identity"})
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            raise CatalogueError(f"{url}: cannot be fetched: {error}") from error
        if response.status == 200:
            return connection, response
        connection.close()
        location = response.headers.get("Location", "")
        if response.status not in _REDIRECTS or not location:
            raise CatalogueError(f"{url}: the host answers {response.status} {response.reason}; is the URL right?")
        here = urljoin(here, location)
    raise CatalogueError(f"{url}: more than 5 redirects")
