"""URLs that a catalogue may name: few schemes, listed hosts, public addresses, one protocol."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from crest_data.catalogue.errors import CatalogueError

SCHEMES = ("https", "s3", "gs")
_LOCAL = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home", ".arpa")


def check_url(url: str, hosts: Collection[str]) -> SplitResult:
    """Return the parts of a URL that may be read; nothing is looked up.

    `hosts` are names such as "data.example.org", "s3://bucket" or "gs://bucket".

    >>> check_url("https://data.example.org/rain.nc", {"data.example.org"}).path
    '/rain.nc'
    """
    if "::" in url:
        raise CatalogueError(f"{url!r}: chained protocols are not read; give the https, s3 or gs URL itself")
    if not url.isascii() or any(char.isspace() or ord(char) < 32 or char in '\\"<>^`{|}' for char in url):
        raise CatalogueError(f"{url!r}: expected a URL of plain characters; write others as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CatalogueError(f"{url!r}: no URL: {error}") from error
    if parts.scheme not in SCHEMES:
        allowed = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise CatalogueError(f"{url!r}: the scheme {parts.scheme!r} is not read; allowed: {allowed}, or a path")
    if "@" in parts.netloc or port not in (None, 443) or parts.fragment or not parts.hostname:
        raise CatalogueError(f"{url!r}: expected scheme://host/path without user, password, port or #")
    if ".." in unquote(unquote(parts.path)).replace("\\", "/").split("/"):
        raise CatalogueError(f"{url!r}: '..' leads out of the folder; write the path that is meant")
    host = host_of(parts)
    if parts.scheme == "https":
        check_host_name(parts.hostname, url)
    if host not in {one.lower() for one in hosts}:
        known = ", ".join(sorted(hosts)) or "none"
        raise CatalogueError(f"{url!r}: the host {host!r} is not allowed; allowed: {known}")
    return parts


def host_of(parts: SplitResult) -> str:
    """Return the host as a list of hosts has it: a bucket keeps its scheme."""
    host = (parts.hostname or "").rstrip(".").lower()
    return host if parts.scheme == "https" else f"{parts.scheme}://{host}"


def check_host_name(host: str, url: str) -> None:
    """Refuse names and numbers of this machine and of private networks, as far as they show without a look-up."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(_LOCAL) or ("." not in name and ":" not in name):
        raise CatalogueError(f"{url!r}: {host!r} is a name of this machine or of a local network; it is not read")
    try:
        check_address(name, url)
    except ValueError as error:
        if isinstance(error, CatalogueError):
            raise
        if name.rpartition(".")[2][:1].isdigit():  # 127.1 and 0x7f.0.0.1 are numbers for the system
            raise CatalogueError(f"{url!r}: {host!r} is no name; give the name of the host") from None


def check_address(address: str, url: str) -> None:
    """Refuse the address of this machine, of its links and of private networks; ValueError if it is no address."""
    found = ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None) or found
    if not found.is_global or not inner.is_global or found.is_multicast:
        raise CatalogueError(
            f"{url!r}: its address {address} is of this machine or a private network; catalogues are read from "
            f"public hosts only: copy the file and give its path"
        )


def check_public(host: str, url: str) -> None:
    """Refuse a host of which any address is private; looks the name up."""
    try:
        found = socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise CatalogueError(f"{url!r}: the host {host!r} is not found: {error}") from error
    for *_, address in found:
        check_address(str(address[0]), url)


def https_url(parts: SplitResult) -> str:
    """Return where a public object is read by https: s3 and gs need no further package for that.

    >>> https_url(urlsplit("gs://weather/era5/1990.nc"))
    'https://storage.googleapis.com/weather/era5/1990.nc'
    """
    bucket = parts.hostname or ""
    if parts.scheme == "gs":
        return f"https://storage.googleapis.com/{bucket}{parts.path}"
    if parts.scheme == "s3" and "." in bucket:  # a certificate covers one label only
        return f"https://s3.amazonaws.com/{bucket}{parts.path}"
    return f"https://{bucket}.s3.amazonaws.com{parts.path}" if parts.scheme == "s3" else parts.geturl()
