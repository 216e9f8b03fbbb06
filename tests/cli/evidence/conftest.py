"""A collector, a person at a terminal, and the folder that is made."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest
from click.testing import Result
from tests.cli.conftest import Desk

# The desk's events are of this day.
DAY = ("--since", "2026-11-25", "--until", "2026-11-26")


class Auditor:
    """Who has evidence made, and looks at it."""

    def __init__(self, desk: Desk, directory: Path) -> None:
        self.desk = desk
        self.folder = directory / "evidence"

    def make(self, *arguments: str, period: tuple[str, ...] = DAY, given: bytes | None = None) -> Result:
        return self.desk.run("evidence", *arguments, *period, "-o", str(self.folder), input=given)

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    @property
    def page(self) -> str:
        return (self.folder / "index.html").read_text()

    def sums(self) -> subprocess.CompletedProcess[str]:
        """What the usual tool says of the sums."""
        return subprocess.run(
            ["sha256sum", "--check", "--strict", "SHA256SUMS"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def auditor(desk: Desk, tmp_path: Path) -> Auditor:
    return Auditor(desk, tmp_path)
