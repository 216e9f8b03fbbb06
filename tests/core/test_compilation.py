"""What is compiled is what is asked for: all listed modules, or none."""

from __future__ import annotations

import ast
import importlib
import os
import tomllib
from pathlib import Path

import pytest

from penstock_core.compilation import in_words, is_compiled

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = ROOT / "pyproject.toml"
WHEEL = tomllib.loads(PYPROJECT.read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
LISTED = WHEEL["hooks"]["custom"]["modules"]
# Set where the tests are to run on a compiled build (`make compiled`).
EXPECTED = bool(os.environ.get("PENSTOCK_COMPILED"))


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_module_is_imported_as_it_was_built(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).suffix == (".so" if EXPECTED else ".py")


def test_it_is_told() -> None:
    assert is_compiled() == EXPECTED
    assert in_words() == ("compiled" if EXPECTED else "interpreted")


@pytest.mark.parametrize("name", LISTED)
def test_what_a_listed_class_is_derived_from_is_listed_too(name: str) -> None:
    # A compiled class passes over a base that is not.
    own = [one for one in vars(importlib.import_module(name)).values() if isinstance(one, type)]
    bases = {base.__module__ for one in own if one.__module__ == name for base in one.__mro__}
    assert {base for base in bases if base.startswith("penstock_")} <= set(LISTED)


# Of a text, where it is what it should be.
OF_TEXT = {"literal[1:-1]"}


@pytest.mark.parametrize("name", LISTED)
def test_no_slice_is_counted_back_from_the_end_of_bytes(name: str) -> None:
    # One that ends before it begins is empty, but an error where it is compiled; a message may be as short as it likes.
    place = Path(name.split(".", maxsplit=1)[0].removeprefix("penstock_"), *name.split("."))
    slices = [node for node in ast.walk(ast.parse((ROOT / place).with_suffix(".py").read_text())) if _of_two(node)]
    back = [ast.unparse(node) for node in slices if _counts_back(node)]
    assert set(back) <= OF_TEXT


def _of_two(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and None not in _bounds(node)


def _bounds(node: ast.AST) -> tuple[ast.expr | None, ast.expr | None]:
    assert isinstance(node, ast.Subscript)
    assert isinstance(node.slice, ast.Slice)
    return node.slice.lower, node.slice.upper


def _counts_back(node: ast.AST) -> bool:
    lower, upper = _bounds(node)
    assert upper is not None
    if isinstance(upper, ast.Call) and isinstance(upper.func, ast.Name) and upper.func.id == "max":
        return ast.unparse(upper.args[0]) != ast.unparse(lower) if lower is not None else True
    return any(isinstance(one, ast.Sub | ast.USub) for one in ast.walk(upper))
