"""The page of what goes wrong with injectors names tests that there are, and all that were written for it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "injection.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| the symptom")]
NAMED = re.findall(r"`((?:tests|e2e)/\S+\.py)::(\w+)`", PAGE)


def named_in(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, functions)}


def test_each_test_that_is_named_exists() -> None:
    assert [f"{file}::{name}" for file, name in NAMED if name not in named_in(ROOT / file)] == []


def test_no_symptom_is_without_one() -> None:
    assert len(ROWS) >= 20
    assert [row for row in ROWS if "::test_" not in row] == []


def test_what_was_tried_on_an_api_server_stands_there() -> None:
    tried = "e2e/admission/test_injection.py"
    there = {name for name in named_in(ROOT / tried) if name.startswith("test_")}
    assert there == {name for file, name in NAMED if file == tried}
