"""What a library says of itself is checked when it is opened, not in the middle of a run."""

import pytest
from crest_fortran import FortranLibrary, interface_file, shipped_library
from crest_fortran.description import from_json, offsets

from crest_core import ComponentError, PluginError

C_LIBRARY = """
#include <string.h>
#include "crest_component.h"
int32_t crest_api_version(void) { return VERSION; }
int32_t crest_describe_model(crest_model *model) {
    strcpy(model->name, NAME); strcpy(model->version, "1.0"); model->field_count = COUNT;
    return MODEL_STATUS;
}
int32_t crest_describe_field(int32_t index, crest_field *field) {
    field->kind = KIND; field->levels = LEVELS; field->lower = LOWER;
    strcpy(field->name, "rain"); strcpy(field->units, "mm day-1");
    return FIELD_STATUS;
}
int32_t crest_step(int32_t columns, double dt, const double *parameters, const double *inputs,
                   const double *state_in, double *state_out, double *outputs) { return 0; }
"""
GOOD = {
    "VERSION": "CREST_API_VERSION", "NAME": '"toy"', "COUNT": "1", "MODEL_STATUS": "0", "KIND": "CREST_OUTPUT",
    "LEVELS": "1", "LOWER": "0", "FIELD_STATUS": "0",
}  # fmt: skip


@pytest.fixture(scope="session")
def describe(build):
    """Return a function that opens a C library with some of its words replaced."""

    def open_library(isolation="process", **words):
        defines = "".join(f"#define {word} {value}\n" for word, value in (GOOD | words).items())
        return FortranLibrary(build("toy.c", defines + C_LIBRARY), isolation=isolation)

    return open_library


def test_a_library_in_c_is_as_good_as_one_in_fortran(describe):
    description = describe().description
    assert (description.name, description.version, description.opaque) == ("toy", "1.0", False)
    (field,) = description.fields
    assert (field.kind, field.levels, field.bounds, field.cell_methods) == ("output", 1, None, "time: mean")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"VERSION": "7"}, r"compiled for CREST C interface 7, expected 1; compile it again"),
        ({"NAME": '""'}, r"its model has no name; set it in crest_describe_model"),
        ({"COUNT": "0"}, r"it describes no output; set field_count"),
        ({"COUNT": "-3"}, r"it describes -3 fields, expected 1 to 10000"),
        ({"COUNT": "2"}, r"field 2 \(output 'rain'\) is described twice"),
        ({"MODEL_STATUS": "5"}, r"crest_describe_model returned 5, expected 0"),
        ({"FIELD_STATUS": "6"}, r"crest_describe_field\(1\) returned 6, expected 0"),
        ({"KIND": "9"}, r"field 1 has kind 9, expected 1 to 4"),
        ({"LEVELS": "-1"}, r"field 1 \(output 'rain'\) has -1 levels; expected 1 to 100000"),
        ({"LOWER": "1"}, r"field 1 \(output 'rain'\) has bounds \(1.0, 0.0\); expected low < high"),
    ],
)
def test_a_description_that_contradicts_itself_is_an_error(describe, words, message):
    with pytest.raises(ComponentError, match=r"toy.so cannot be used as a component: .*" + message):
        describe(**words)


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_a_missing_function_is_named(build, isolation):
    path = build("half.c", "int crest_api_version(void) { return 1; }")
    with pytest.raises(ComponentError, match=r"it exports no function crest_describe_model; write it with bind\(C"):
        FortranLibrary(path, isolation=isolation)


def test_a_truncated_library_is_an_error(reservoir, tmp_path):
    for size in (0, 100, 3000, 9000):
        path = tmp_path / f"cut{size}.so"
        path.write_bytes(reservoir.read_bytes()[:size])
        with pytest.raises(ComponentError, match=rf"cut{size}.so cannot be used as a component: "):
            FortranLibrary(path)


def test_a_library_that_crashes_while_it_is_described_is_an_error(build):
    source = "#include <stdlib.h>\nint crest_api_version(void) { abort(); }\n"
    source += "".join(f"int {n}(void) {{ return 0; }}\n" for n in ("crest_step", "crest_describe_model"))
    path = build("crash.c", source + "int crest_describe_field(void) { return 0; }\n")
    with pytest.raises(ComponentError, match=r"crash.so cannot be used .* signal SIGABRT"):
        FortranLibrary(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ComponentError, match=r"none.so cannot be read: No such file .* give the path"):
        FortranLibrary(tmp_path / "none.so")


def test_a_library_that_changed_on_disk_is_not_opened_again(build):
    words = "".join(f"#define {word} {value}\n" for word, value in GOOD.items())
    path = build("toy.c", words + C_LIBRARY)
    library = FortranLibrary(path)
    library.close()
    content = path.read_bytes()
    path.unlink()  # a new file: the old one may still be mapped
    path.write_bytes(content + b"\0")
    with pytest.raises(ComponentError, match="the file changed since it was opened; open it again"):
        library.arrays(1)


def test_a_description_survives_json(reservoir):
    description = FortranLibrary(reservoir).description
    assert from_json(description.to_json()) == description
    assert description.rows() == (1, 2, 2, 2, 3, 0, 0, 0, 0, 0)


def test_arrays_do_not_overlap_and_are_aligned():
    starts, total = offsets((1, 2, 0, 3, 1), 7)
    assert starts == [0, 64, 192, 192, 384] and total == 448


def test_the_interface_files_and_the_bucket_are_shipped():
    for name in ("crest_component.f90", "crest_component.h"):
        assert "CREST C interface 1" in interface_file(name).read_text()
    assert FortranLibrary(shipped_library("soil_bucket")).description.name == "soil_bucket"
    with pytest.raises(PluginError, match="ships no compiled library 'swamp'; it ships soil_bucket"):
        shipped_library("swamp")
