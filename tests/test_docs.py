"""What the documentation shows is true: its code runs, prints what it says, and its links lead somewhere.

In README.md, CONTRIBUTING.md, docs/**/*.md and the README of each package and example every block of python runs, in
order, one namespace a page, in an empty folder. A block of text right after it is what it prints ("..." stands for
anything). A block with `title="path"` is written there instead. Blocks of bash run in BASH_PAGES only, those
of console never.
"""

import contextlib
import doctest
import io
import json
import linecache
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import packages
import pytest

ROOT = packages.ROOT
SITE = sorted((ROOT / "docs").rglob("*.md"))
READMES = [file for package in packages.find_packages() for file in package.folder.glob("README.md")]
EXAMPLES = sorted((ROOT / "examples").rglob("README.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *READMES, *EXAMPLES, *SITE]
BASH_PAGES = {"docs/how-to/wrap-fortran.md", "docs/how-to/new-model.md"}
SLOW_PAGES: set[str] = set()
OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BASH_SECONDS = 300


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    text: str
    follows: bool  # nothing stands between it and the block before


def blocks_of(text, page=""):
    """Return the fenced blocks of a page, also those that are indented."""
    found, between, opened = [], [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"(\s*)(`{3,})(.*)", line)
        if opened is None and fence:
            opened = (number, fence[1], fence[2], fence[3].strip(), [])
        elif opened is not None and line.strip() == opened[2]:
            start, indent, _, info, lines = opened
            title = re.search(r'title="([^"]+)"', info)
            body = "".join(f"{row.removeprefix(indent)}\n" for row in lines)
            language = re.split(r"[\s{]", info)[0]
            follows = bool(found) and not any(between)
            found.append(Block(page, start + 1, language, title[1] if title else "", body, follows))
            opened, between = None, []
        elif opened is not None:
            opened[4].append(line)
        else:
            between.append(line.strip())
    assert opened is None, f"{page}:{opened[0] if opened else 0}: a fence that is never closed"
    return found


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def page_parameters():
    """Yield the pages that hold something to run."""
    for path in PAGES:
        blocks = blocks_of(path.read_text(encoding="utf-8"), name_of(path))
        if any(block.language in ("python", "bash") for block in blocks):
            marks = [pytest.mark.slow] if name_of(path) in SLOW_PAGES else []
            yield pytest.param(blocks, id=name_of(path), marks=marks)


@pytest.mark.parametrize("blocks", list(page_parameters()))
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace, printed = {"__name__": "__main__"}, None
    for block in blocks:
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
            printed = None
        elif block.language == "python":
            printed = run_python(block, namespace)
        elif block.language == "bash" and block.page in BASH_PAGES:
            printed = run_bash(block)
        elif block.language == "text" and block.follows and printed is not None:
            assert_same(block, printed)
            printed = None
        else:
            printed = None


def run_python(block, namespace):
    """Run a block and return what it prints; tracebacks show the lines of the page."""
    source = "\n" * (block.line - 1) + block.text
    file = f"<{block.page}:{block.line}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, file, "exec"), namespace)
    return output.getvalue()


def run_bash(block):
    """Run a block with the commands of this environment first in PATH; return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    script = f"set -euo pipefail\n{block.text}"
    result = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=BASH_SECONDS
    )
    assert result.returncode == 0, f"{block.page}:{block.line}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def assert_same(block, printed):
    checker = doctest.OutputChecker()
    if not checker.check_output(block.text, printed, OUTPUT):
        pytest.fail(f"{block.page}:{block.line} says\n{block.text}\nbut the block before it prints\n{printed}")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(path):
    """Inside the site, links stay inside; README.md and CONTRIBUTING.md may link to any file."""
    text = without_code(path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{name_of(path)} links to {target}, which does not exist"
        if anchor and found.suffix == ".md":
            known = headings(found.read_text(encoding="utf-8"))
            assert anchor in known, f"{name_of(path)} links to {target}; headings there: {', '.join(sorted(known))}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_a_page_names_exist(path):
    """A path in backticks with a folder of the workspace at its head is a promise."""
    heads = ("crest-core/", "crest-plugins/", "terrahydro-plugins/", "docs/", "tests/", "tools/", "examples/")
    text = without_code(path.read_text(encoding="utf-8"))
    for name in re.findall(r"`([\w./-]+/[\w./-]*)`", text):
        if name.startswith((*heads, "benchmarks/")) and "foo" not in name:
            assert (ROOT / name).exists(), f"{name_of(path)} names {name}, which does not exist"


def test_the_readme_shows_what_the_plugins_register(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from registry_table import README, current, table

    assert current(README.read_text(encoding="utf-8")) == table(), "python docs/registry_table.py brings it up to date"


def test_tables_of_skill_are_those_of_the_records(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from skill_table import current, pages

    assert len(pages()) >= 2
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert text == current(text), f"{page.name}: python docs/skill_table.py brings it up to date"


def test_the_first_run_in_the_readme_is_short():
    blocks = blocks_of((ROOT / "README.md").read_text(encoding="utf-8"))
    first = next(block for block in blocks if block.language == "python")
    assert len(first.text.strip().splitlines()) <= 12


def test_every_page_of_the_site_is_in_its_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"([\w/-]+\.md)\s*$", text, flags=re.MULTILINE))
    assert listed == {path.relative_to(ROOT / "docs").as_posix() for path in SITE}


def test_every_figure_is_shown_and_has_a_script(monkeypatch):
    source = (ROOT / "docs" / "figures.py").read_text(encoding="utf-8")
    shown = set()
    for path in PAGES:
        shown |= {Path(name).name for name in re.findall(r"\]\(([^)\s]+\.svg)\)", path.read_text(encoding="utf-8"))}
    drawn = {path.name for path in (ROOT / "docs" / "figures").glob("*.svg")}
    assert drawn == shown
    assert drawn == {f"{name}.svg" for name in re.findall(r"^def draw_(\w+)", source, flags=re.MULTILINE)}


def test_every_public_name_is_in_the_reference():
    import crest_core
    import crest_fields

    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: (crest_\w+\.[\w.]+)$", text, flags=re.MULTILINE))
    listed = {name for line in re.findall(r"members: \[(.*)\]", text) for name in line.split(", ")}
    for name in crest_core.__all__:
        module = (crest_core._HOME | crest_fields._HOME)[name]
        described = {module, f"{module}.{name}"} & shown or name in listed or f"`{name}` is" in text
        assert described, f"docs/reference lacks crest_core.{name}"


@pytest.mark.slow
def test_the_package_of_contributing_is_made_installs_is_listed_and_passes_as_the_page_says(tmp_path):
    """Every command of the section runs, in order; a target folder stands for the environment of the reader."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text[text.index("## Add a model") : text.index("## Add a fix")]
    site = tmp_path / "site"
    pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    programs = {"crest": ["-m", "crest_core"], "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider"]}
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(line):
        name, *words = shlex.split(line)
        start = programs.get(name, pip)
        assert name in programs or (name, words[:1]) == ("pip", ["install"]), f"CONTRIBUTING.md shows {line}"
        words = words if name in programs else [f"./{word}" for word in words[1:] if word != "-e"]
        command = [sys.executable, *start, *words]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        return result.stdout

    consoles = [block.text for block in blocks_of(section) if block.language == "console"]
    lines = [part.split(" #")[0].strip() for text in consoles for row in text.splitlines() for part in row.split("&&")]
    assert lines[:3] == ["crest new my-model", "pip install -e my-model", "crest check my-model"]
    printed = {line: run(line) for line in lines}
    rows = json.loads(run("crest list --json --load"))
    assert [row["error"] for row in rows if row["distribution"] == "my-model"] == [None]
    assert " pass, " in printed["crest check my-model"] and " fail" not in printed["crest check my-model"]
    assert "passed" in printed["pytest my-model"]


def test_what_contributing_shows_of_the_new_package_is_what_is_rendered(tmp_path):
    from crest_templates import Package, render

    folder = render(Package("my-model"), tmp_path)
    shown = [b for b in blocks_of((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")) if b.title]
    assert shown
    for block in shown:
        rendered = (tmp_path / block.title).read_text(encoding="utf-8")
        parts = [part.strip("\n") for part in block.text.split("    ...\n")]
        assert all(part in rendered for part in parts), f"CONTRIBUTING.md:{block.line} is not in {block.title}"
    named = re.findall(r"`(my-model/[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(named) > 5 and all((folder.parent / name).is_file() for name in named), named


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    build = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run([sys.executable, *build], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"?(https?:[^\" >]+)", html)
        loaded += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|preconnect)\"?[^>]*href=\"?(https?:[^\" >]+)", html)
        assert not loaded, f"{page.name} loads {loaded}"


def test_docstrings_are_shown_as_they_are_written(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import docstrings

    assert doctest.testmod(docstrings).failed == 0
    assert docstrings.as_markdown("<a, b>.\n\n>>> 1 < 2\nTrue") == "&lt;a, b>.\n\n```python\n>>> 1 < 2\nTrue\n```"


def test_fences_are_found_with_their_language_title_and_place():
    page = '# A\n```python\nprint(1)\n```\n\n```text\n1\n```\n- x\n\n    ```yaml title="a/b.yaml"\n    c: 1\n    ```\n'
    first, second, third = blocks_of(page)
    assert (first.language, first.line, first.text, first.follows) == ("python", 3, "print(1)\n", False)
    assert (second.language, second.follows) == ("text", True)
    assert (third.title, third.text, third.follows) == ("a/b.yaml", "c: 1\n", False)


def test_headings_become_anchors():
    assert headings("# Units & water\n```\n# no\n```\n## `lagged`, and why") == {"units-water", "lagged-and-why"}


def without_code(text):
    """Return a page without its fenced blocks."""
    return re.sub(r"^(\s*)(`{3,}).*?^\1\2\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text):
    """Return the anchors of a page, made as mkdocs makes them."""
    titles = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    bare = [re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower() for title in titles]
    return {re.sub(r"[\s-]+", "-", title) for title in bare}
