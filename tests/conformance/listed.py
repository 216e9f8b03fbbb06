"""The listed exceptions: tests that pass direct and may not pass through the gate, each with its reason.

They stand in `exceptions.yaml`; nothing else excuses a difference.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("exceptions.yaml")


class Exemption(BaseModel):
    """Some tests of some suites, and why they can't pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suites: Annotated[list[str], Field(min_length=1)]
    # Names, `*` standing for any characters.
    tests: Annotated[list[str], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=20)]
    # They pass at times (by timing, by the server's version): passing does not make the entry stale.
    sometimes: bool = False

    def covers(self, suite: str, test: str) -> bool:
        return suite in self.suites and any(_matches(test, pattern) for pattern in self.tests)


def _matches(test: str, pattern: str) -> bool:
    # Brackets in names of tests are parameters, not sets of characters.
    return fnmatch.fnmatchcase(test, pattern.replace("[", "[[]"))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exceptions: list[Exemption]


def load(path: Path = FILE) -> list[Exemption]:
    """All of them. Raises pydantic's ValidationError, OSError and YAMLError."""
    return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).exceptions


def reason(exemptions: Iterable[Exemption], suite: str, test: str) -> str:
    """Why that test is excused; empty if it is not."""
    return next((one.reason for one in exemptions if one.covers(suite, test)), "")


def stale(exemptions: Iterable[Exemption], suite: str, differing: Iterable[str]) -> list[str]:
    """Patterns listed for the suite that no differing test needs."""
    names = list(differing)
    return [
        pattern
        for one in exemptions
        if suite in one.suites and not one.sometimes
        for pattern in one.tests
        if not any(_matches(name, pattern) for name in names)
    ]
