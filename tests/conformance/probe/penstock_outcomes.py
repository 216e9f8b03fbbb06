"""A pytest plugin that writes each test's outcome as a line of JSON to $PENSTOCK_OUTCOMES.

It runs in the environment of a client's test suite, so it imports nothing of Penstock. JUnit's XML would do but for the
ids of the tests, which are needed to run one of them again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write what is news: the call's result, or that set-up or tear-down failed or skipped."""
    if report.when != "call" and report.passed:
        return
    record = {
        "test": report.nodeid,
        "result": report.outcome,
        "message": report.longreprtext[-2000:] if report.failed else "",
    }
    with Path(os.environ["PENSTOCK_OUTCOMES"]).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")
