"""What all mappings of a run file share: no unknown keys, paths from the file's folder."""

from __future__ import annotations

from errno import ELOOP
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError


def _resolve(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise PydanticCustomError("path", "expected the path of a file")
    if "://" in str(value):
        raise PydanticCustomError("path", "expected the path of a file on this machine")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / Path(value).expanduser()


def _resolve_store(value: Any, info: ValidationInfo) -> Path | str:
    if isinstance(value, str) and "://" in value:
        return value
    path = _resolve(value, info)
    try:
        path.stat()
    except OSError as error:
        if error.errno == ELOOP:
            text = "expected a folder, got links in a circle; remove the link or give another path"
            raise PydanticCustomError("path", text) from error
    return path


FilePath = Annotated[Path, BeforeValidator(_resolve)]
StorePath = Annotated[Path | str, BeforeValidator(_resolve_store)]


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A mapping of a run file, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
