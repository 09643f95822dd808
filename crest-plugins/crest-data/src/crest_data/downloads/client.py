"""A client package that is optional: imported on use, or its absence told with what to do."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from crest_data.errors import DataError


def client(package: str, install: str, account: str) -> ModuleType:
    """Return an optional package; DataError says how it is installed and where an account is had.

    >>> client("json", "pip install json", "").__name__
    'json'
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise DataError(f"downloads need the package {package}: {install}; and an account: {account}") from error
