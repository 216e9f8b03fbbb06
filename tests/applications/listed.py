"""What applications can't do where columns are masked, each with its reason: `exceptions.yaml`.

Nothing else excuses a step that fails.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("exceptions.yaml")


class Exemption(BaseModel):
    """Some steps of some applications, why they can't work masked, and what to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    applications: Annotated[list[str], Field(min_length=1)]
    # Names of steps, without their phase.
    steps: Annotated[list[str], Field(min_length=1)]
    # What their error looks like, `*` standing for any characters.
    error: Annotated[str, Field(min_length=5)]
    # On which servers, by major version; on all where none is named.
    postgres: list[int] = []
    reason: Annotated[str, Field(min_length=20)]
    instead: Annotated[str, Field(min_length=10)]

    def holds_on(self, postgres: int) -> bool:
        return not self.postgres or postgres in self.postgres

    def covers(self, application: str, step: str, error: str) -> bool:
        # Brackets in errors are SQL's, not sets of characters.
        pattern = self.error.replace("[", "[[]")
        return application in self.applications and step in self.steps and fnmatch.fnmatchcase(error, pattern)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exceptions: list[Exemption]


def load(path: Path = FILE) -> list[Exemption]:
    """All of them. Raises pydantic's ValidationError, OSError and YAMLError."""
    return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).exceptions


def on(exemptions: Iterable[Exemption], postgres: int) -> list[Exemption]:
    """Those that hold on that server."""
    return [one for one in exemptions if one.holds_on(postgres)]


def reason(exemptions: Iterable[Exemption], application: str, step: str, error: str) -> str:
    """Why that step is excused; empty if it is not."""
    return next((one.reason for one in exemptions if one.covers(application, step, error)), "")


def stale(exemptions: Sequence[Exemption], application: str, failing: Mapping[str, str]) -> list[str]:
    """Steps that are listed for the application and work, or fail in another way."""
    return [
        step
        for one in exemptions
        if application in one.applications
        for step in one.steps
        if not (step in failing and one.covers(application, step, failing[step]))
    ]
