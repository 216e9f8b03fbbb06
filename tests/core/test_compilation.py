"""What is compiled is what is asked for: all listed modules, or none."""

from __future__ import annotations

import importlib
import os
import tomllib
from pathlib import Path

import pytest

from penstock_core.compilation import in_words, is_compiled

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
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
