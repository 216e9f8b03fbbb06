"""What became of each test of a client's suite, and how two runs of the suite differ.

The files that outcomes are read from are written by `probe/` inside pytest and Django, and by `go test -json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Result = Literal["passed", "failed", "skipped"]
Outcomes = Mapping[str, "Outcome"]

_GO: dict[str, Result] = {"pass": "passed", "fail": "failed", "skip": "skipped"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test's result, and what it printed if it failed."""

    result: Result
    message: str = ""


def read_probe(path: Path) -> dict[str, Outcome]:
    """Outcomes as the probes write them; a test that reports several times has failed if one of them failed."""
    found: dict[str, Outcome] = {}
    for record in _records(path):
        outcome = Outcome(record["result"], record["message"])
        known = found.get(record["test"])
        if known is None or known.result == "skipped" or (outcome.result == "failed" and known.result == "passed"):
            found[record["test"]] = outcome
    return found


def read_go(path: Path) -> dict[str, Outcome]:
    """Outcomes of top-level tests in the output of `go test -json`; a package that can't be tested is one failure."""
    found: dict[str, Outcome] = {}
    printed: dict[str, list[str]] = {}
    for record in _records(path):
        package = str(record.get("Package", "")).rpartition("/")[2]
        test = str(record.get("Test", "")).partition("/")[0]
        name = f"{package}.{test or '(package)'}"
        action = record.get("Action")
        if action == "output":
            printed.setdefault(name, []).append(str(record.get("Output", "")))
        elif action in _GO and "/" not in str(record.get("Test", "")) and (test or action == "fail"):
            result = _GO[action]
            found[name] = Outcome(result, "".join(printed.get(name, ()))[-2000:] if result == "failed" else "")
    if any(outcome.result == "failed" for name, outcome in found.items() if not name.endswith(".(package)")):
        # The package fails because a test of it did: nothing of its own.
        found = {name: outcome for name, outcome in found.items() if not name.endswith(".(package)")}
    return found


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            # A run that was cut off may leave half a line; go prints what it downloads between the records.
            if line.startswith("{") and line.endswith("}\n"):
                yield json.loads(line)


def count(outcomes: Outcomes, result: Result) -> int:
    """How many tests had that result."""
    return sum(outcome.result == result for outcome in outcomes.values())


def differences(direct: Outcomes, through: Outcomes) -> dict[str, Outcome]:
    """The tests that pass direct and don't pass through the gate, with what became of them there."""
    missing = Outcome("failed", "the test did not run")
    return {
        test: through.get(test, missing)
        for test, outcome in direct.items()
        if outcome.result == "passed" and through.get(test, missing).result != "passed"
    }
