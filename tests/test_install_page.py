"""The page on installing from a clone names for each package what it needs, and pages point at folders that exist."""

import re

import packages

ROOT = packages.ROOT
PAGE = ROOT / "docs" / "how-to" / "install.md"
ALWAYS = {"crest-core", "crest-fields"}


def own(requirements, names):
    return {name for line in requirements if (name := packages.requirement_name(line)) in names} - ALWAYS


def test_the_page_names_what_each_package_needs_beside_the_core():
    rows = re.findall(r"^\| (`.+`) \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = {
        (name, need)
        for left, right in rows
        for name in re.findall("`(.+?)`", left)
        for need in re.findall("`(.+?)`", right)
    }
    found = packages.find_packages()
    names = {package.name for package in found}
    needed = {(package.name, need) for package in found for need in own(package.dependencies, names)}
    for package in found:
        extras = {extra: own(lines, names) for extra, lines in package.extras.items() if extra != "test"}
        needed |= {(f"{package.name}[{extra}]", need) for extra, needs in extras.items() for need in needs}
    assert shown == needed


def test_no_page_tells_to_install_our_packages_from_an_index():
    names = "|".join(package.name for package in packages.find_packages())
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*/*/README.md"), *(ROOT / "docs" / "how-to").glob("*.md")]
    assert len(pages) > 20
    for page in pages:
        found = re.findall(rf"pip install (?:-e )?[\"']?(?:{names})\b.*", page.read_text(encoding="utf-8"))
        assert not found, f"{page.relative_to(ROOT)}: {found}; docs/how-to/install.md says how"


def test_what_a_readme_says_on_installing_names_its_folder_and_the_page():
    readmes = [*ROOT.glob("*-plugins/*/README.md"), ROOT / "crest-core" / "README.md"]
    texts = {readme: readme.read_text(encoding="utf-8") for readme in readmes}
    telling = [readme for readme, text in texts.items() if re.search("^Install", text, flags=re.MULTILINE)]
    assert len(telling) >= 16
    for readme in telling:
        folder, text = f"./{readme.parent.relative_to(ROOT).as_posix()}", texts[readme]
        assert folder in text and "docs/how-to/install.md" in text, f"{readme.parent.name}: lacks pip install {folder}"
