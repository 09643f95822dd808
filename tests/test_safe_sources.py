"""Nothing in the sources executes data, and nothing in the repository names one machine."""

import ast
import os
import re

import packages
import pytest

ROOT = packages.ROOT
LEFT_OUT = {"build", "dist", "site", "output", "node_modules", "__pycache__", "LICENSE"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader"}
# Put together from parts, so that this file does not find itself.
MACHINE_PATHS = re.compile(
    r"(?<![\w.~$})/-])/(" + "|".join(["work", "tmp", "root", "home", "Users", "opt"]) + r")(/|\b)"
)
REGISTRY_HOSTS = re.compile("|".join(["py" + r"pi\.org", "pythonhosted" + r"\.org", "npm" + r"js\."]))


def repository_files():
    for folder, folders, files in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = sorted(name for name in set(folders) - LEFT_OUT - hidden if not name.endswith(".egg-info"))
        for name in sorted(set(files) - LEFT_OUT):
            yield packages.Path(folder) / name


def text_files():
    for path in repository_files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def code_files():
    for path, text in text_files():
        inside = path.relative_to(ROOT).parts
        if path.suffix == ".py" and ("src" in inside or inside[0] in ("examples", "benchmarks")):
            yield path, text


def test_no_file_names_a_place_on_one_machine_or_a_package_registry():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line)
    ]
    assert not found, "\n".join(found)


def test_data_and_weights_are_never_executed():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {why}" for path, text in code_files() for line, why in unsafe_code(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import pickle", "imports pickle"),
        ("from joblib import load", "imports joblib"),
        ("yaml.load(f, Loader)", "yaml.load: use yaml.safe_load"),
        ("torch.load(f)", "torch.load without weights_only=True"),
        ("torch.load(f, weights_only=False)", "torch.load without weights_only=True"),
        ("np.load(f, allow_pickle=True)", "allow_pickle"),
        ("pd.read_pickle(f)", "read_pickle"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
    ],
)
def test_unsafe_code_is_recognised(text, why):
    assert [reason for _, reason in unsafe_code(text)] == [why]


def test_safe_code_is_left_alone():
    safe = (
        "yaml.safe_load(f)\ntorch.load(f, weights_only=True)\nnp.load(f)\nmodel.eval()\n"
        "class Strict(yaml.SafeLoader): pass\nyaml.load(f, Loader=Strict)\n"
    )
    assert list(unsafe_code(safe)) == []


def test_machine_paths_are_recognised_and_addresses_are_not():
    home = "/" + "home/someone"
    assert MACHINE_PATHS.search(f'open("{home}/x")')
    assert not MACHINE_PATHS.search("docs/work/page.md and example.org/home/x and frame/work")


def unsafe_code(text):
    """Yield line and reason of each use of something that can run what it reads."""
    tree = ast.parse(text)
    loaders = safe_loaders(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names]
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else named
            for module in modules:
                if module.split(".")[0] in UNSAFE_MODULES:
                    yield node.lineno, f"imports {module.split('.')[0]}"
        elif isinstance(node, ast.Call) and (why := unsafe_call(node, loaders)):
            yield node.lineno, why


def safe_loaders(tree):
    """Return PyYAML's safe loaders and the classes of this module that are made from them."""
    own = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and set(map(ast.unparse, node.bases)) & SAFE_LOADERS
    }
    return SAFE_LOADERS | own


def unsafe_call(call, safe_loaders):
    name = ast.unparse(call.func)
    options = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name in ("eval", "exec"):
        return name
    if name == "yaml.load" and options.get("Loader") in safe_loaders:
        return ""
    if name in ("yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all"):
        return f"{name}: use yaml.safe_load"
    if name == "torch.load" and options.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if options.get("allow_pickle", "False") != "False":
        return "allow_pickle"
    return "read_pickle" if name.endswith(".read_pickle") else ""
