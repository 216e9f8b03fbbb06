"""What keeps the tree as CONTRIBUTING.md describes it: checked by machine, so that nobody has to remember it."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("core", "entrance", "operator", "sidecar", "collector", "agents", "cli")
SOURCES = sorted(path for part in PARTS for path in (ROOT / part / f"penstock_{part}").rglob("*.py"))
# Names of everything that git holds or would hold: what a clone gets.
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()

MAX_FILE_LINES = 420
MAX_FUNCTION_LINES = 50
# `main` is the program of a part, `__main__` what `python -m` runs; the rest say nothing about what is inside.
# Tests of a package as a whole, which no single module could be named for.
WHOLES = ("tests/core/sql/twins/",)
EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|manager|common|misc)$")
FOREIGN_PLACES = re.compile(
    r"pypi\.org|pythonhosted|proxy\.golang|deb\.debian|registry\.npmjs|repo\.maven|repo1\.maven|/work/main|/root/"
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_image_has_every_part() -> None:
    built, sent = ((ROOT / name).read_text().splitlines() for name in ("Dockerfile", ".dockerignore"))
    assert [part for part in PARTS if f"COPY {part} {part}" not in built or f"!{part}" not in sent] == []
    # What the end-to-end tests build it from.
    assert [part for part in PARTS if f'"{part}"' not in (ROOT / "e2e" / "conftest.py").read_text()] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len((ast.get_docstring(tree) or "").split()) >= 5, "the docstring says too little"
    assert len(text.splitlines()) <= MAX_FILE_LINES, "is there a noun in it that wants its own module?"
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []
    assert not EMPTY_NAMES.search(path.stem), "name it after what it holds"


def test_tests_mirror_the_source_tree() -> None:
    stray = []
    for part in PARTS:
        for test in sorted((ROOT / "tests" / part).rglob("test_*.py")):
            inner = test.relative_to(ROOT / "tests" / part)
            package = ROOT / part / f"penstock_{part}" / inner.parent
            subject = inner.stem.removeprefix("test_")
            known = _names_something_in(package, subject) if package.is_dir() else package.with_suffix(".py").exists()
            if not known and not relative(test).startswith(WHOLES):
                stray.append(relative(test))
    assert stray == [], "each is named after a module or package beside which it would stand"


def test_every_module_of_core_has_its_test_by_name() -> None:
    core = ROOT / "core" / "penstock_core"
    missing = []
    for module in sorted(core.rglob("*.py")):
        inner = module.relative_to(core)
        test = ROOT / "tests" / "core" / inner.parent / f"test_{module.stem}.py"
        if module.stem != "__init__" and not test.exists():
            missing.append(relative(module))
    assert missing == [], "each has a test of its own beside those that its package shares"


def _names_something_in(package: Path, subject: str) -> bool:
    """`test_spool` and `test_spool_recovery` both stand for `spool.py`; `test_<package>…` for a package as a whole."""
    words = subject.split("_")
    names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
    there = {entry.stem for entry in package.iterdir()} | {package.name}
    return bool(names & there)


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    named = []
    for name in TRACKED:
        path = ROOT / name
        if name == relative(Path(__file__)) or not path.is_file():
            continue
        found = FOREIGN_PLACES.search(path.read_text(errors="ignore"))
        if found:
            named.append(f"{name}: {found.group()}")
    assert named == []
