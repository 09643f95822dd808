"""A shared library with CREST C interface 1 in this process: open, describe, step.

The child process imports this module too, so it needs nothing but cffi and the standard library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cffi import FFI

from crest_fortran.description import (
    BLOCKS,
    KINDS,
    LibraryDescription,
    LibraryField,
    check,
    offsets,
)

API_VERSION = 1
REQUIRED = ("crest_api_version", "crest_describe_model", "crest_describe_field", "crest_step")
_MESSAGE = 1024  # characters that crest_message may write
_MOST_FIELDS = 10_000
_KEPT = 8  # numbers of columns whose pointers are kept

ffi = FFI()
ffi.cdef(
    """
    typedef struct { int32_t field_count, opaque; char name[64], version[64], doc[256]; } crest_model;
    typedef struct {
        int32_t kind, levels, is_static, reserved;
        double lower, upper, top, bottom, initial[64];
        char name[64], units[64], standard_name[128], cell_methods[32], level_dim[32], doc[256];
    } crest_field;
    int32_t crest_api_version(void);
    int32_t crest_describe_model(crest_model *model);
    int32_t crest_describe_field(int32_t index, crest_field *field);
    int32_t crest_step(int32_t columns, double dt, const double *parameters, const double *inputs,
                       const double *state_in, double *state_out, double *outputs);
    int32_t crest_pullback(int32_t columns, double dt, const double *parameters, const double *inputs,
                           const double *state_in, const double *d_state_out, const double *d_outputs,
                           double *d_parameters, double *d_inputs, double *d_state_in);
    void crest_message(int32_t status, int32_t length, char *text);
    """
)


class NativeLibrary:
    """An open library and its description; raises ValueError or OSError if it cannot be used."""

    def __init__(self, path: str) -> None:
        self._library: Any = ffi.dlopen(path)
        for symbol in REQUIRED:
            if self._find(symbol) is None:
                raise ValueError(f"it exports no function {symbol}; write it with bind(C, name='{symbol}')")
        version = self._library.crest_api_version()
        if version != API_VERSION:
            raise ValueError(
                f"it was compiled for CREST C interface {version}, expected {API_VERSION}; "
                f"compile it again with the crest_component file of this crest-fortran"
            )
        pullback = self._find("crest_pullback")
        self.description = replace(_describe(self._library), pullback=pullback is not None)
        self.functions = (self._library.crest_step, pullback)
        """What a library can do, as STEP and PULLBACK count."""

    def message(self, status: int) -> str:
        """Return what the library says of a status, "" if nothing."""
        explain = self._find("crest_message")
        if explain is None:
            return ""
        text = ffi.new("char[]", _MESSAGE + 1)
        explain(status, _MESSAGE, text)
        return _text(text)

    def _find(self, symbol: str) -> Any:
        try:
            return getattr(self._library, symbol)
        except AttributeError:
            return None


class PointerCache:
    """The pointers into one memory block that each function takes, kept for the last few numbers of columns."""

    def __init__(self, rows: tuple[int, ...], memory: Any) -> None:
        self._rows = rows
        self._start = ffi.from_buffer("char[]", memory, require_writable=True)
        self._kept: dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}

    def get(self, columns: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the pointers for a step and those for a pullback of so many columns."""
        found = self._kept.get(columns)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            places, _ = offsets(self._rows, columns)
            pointers = [ffi.cast("double *", self._start + place) for place in places]
            parameters, inputs, state_in, *results = pointers[: len(BLOCKS)]
            d_arguments, d_results = pointers[len(BLOCKS) : -len(results)], pointers[-len(results) :]
            arguments = (parameters, inputs, state_in)
            found = (*arguments, *results), (*arguments, *d_results, *d_arguments)
            self._kept[columns] = found
        return found


def _describe(library: Any) -> LibraryDescription:
    model = ffi.new("crest_model *")
    status = library.crest_describe_model(model)
    if status:
        raise ValueError(f"crest_describe_model returned {status}, expected 0")
    if not 0 <= model.field_count <= _MOST_FIELDS:
        raise ValueError(f"it describes {model.field_count} fields, expected 1 to {_MOST_FIELDS}")
    fields = tuple(_field(library, number) for number in range(1, model.field_count + 1))
    name, version, doc = _text(model.name), _text(model.version), _text(model.doc)
    description = LibraryDescription(name, version, bool(model.opaque), doc, fields)
    check(description)
    return description


def _field(library: Any, number: int) -> LibraryField:
    raw = ffi.new("crest_field *")
    status = library.crest_describe_field(number, raw)
    if status:
        raise ValueError(f"crest_describe_field({number}) returned {status}, expected 0")
    if not 1 <= raw.kind <= len(KINDS):
        raise ValueError(f"field {number} has kind {raw.kind}, expected 1 to {len(KINDS)}")
    levels = raw.levels or 1
    given = list(raw.initial)
    return LibraryField(
        kind=KINDS[raw.kind - 1],
        name=_text(raw.name),
        units=_text(raw.units),
        levels=levels,
        is_static=bool(raw.is_static),
        bounds=_pair(raw.lower, raw.upper),
        vertical=_pair(raw.top, raw.bottom),
        initial=tuple(given[:levels]) if levels <= len(given) else (given[0],) * levels,
        standard_name=_text(raw.standard_name),
        cell_methods=_text(raw.cell_methods) or "time: mean",
        level_dim=_text(raw.level_dim) or "level",
        doc=_text(raw.doc),
    )


def _pair(low: float, high: float) -> tuple[float, float] | None:
    return None if low == 0 == high else (low, high)


def _text(raw: Any) -> str:
    return bytes(ffi.buffer(raw)).split(b"\0")[0].decode("utf-8", "replace").strip()
