"""What is known to be open: leaks and refusals that are not closed yet, each with its reason, in `known_open.yaml`.

CI's slice reports them as open instead of failing. An entry that no finding needs fails the run, so that the list only
ever holds what is true. Runs by the minute take no notice of it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from tests.noninterference.tally import Finding

FILE = Path(__file__).with_name("known_open.yaml")


class Open(BaseModel):
    """Some findings of one kind, and why they are there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wrong: Literal["leaked", "useless"]
    kind: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=10)]
    # Titles as the run prints them, `*` for any characters.
    titles: Annotated[list[str], Field(min_length=1)]
    # They show at times only (by timing, by the plan): not showing does not make the entry stale.
    sometimes: bool = False

    def covers(self, finding: Finding) -> bool:
        return self.wrong == finding.wrong and any(_matches(finding.title, title) for title in self.titles)


def _matches(title: str, pattern: str) -> bool:
    # Brackets in titles are SQL's, not sets of characters.
    return fnmatch.fnmatchcase(title, pattern.replace("[", "[[]"))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    open: list[Open]


def load(path: Path = FILE) -> list[Open]:
    """All of them. Raises pydantic's ValidationError, OSError and YAMLError."""
    return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).open


def unknown(findings: Iterable[Finding], entries: Sequence[Open]) -> list[Finding]:
    """The findings that no entry covers."""
    return [one for one in findings if not any(entry.covers(one) for entry in entries)]


def stale(findings: Sequence[Finding], entries: Sequence[Open], tried: Iterable[str]) -> list[str]:
    """Titles listed that were tried and are no finding any more."""
    names = list(tried)
    return [
        f"{entry.wrong}, {entry.kind}: {title}"
        for entry in entries
        if not entry.sometimes
        for title in entry.titles
        if any(_matches(name, title) for name in names)
        and not any(entry.wrong == one.wrong and _matches(one.title, title) for one in findings)
    ]


def write(findings: Sequence[Finding], path: Path = FILE) -> None:
    """List what was found, by kind, keeping the reasons that are known."""
    reasons: dict[tuple[str, str], str] = {
        (entry.wrong, entry.kind): entry.reason for entry in (load(path) if path.exists() else [])
    }
    by_kind: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        titles = by_kind.setdefault((one.wrong, one.title.split(":")[0]), [])
        if one.title not in titles:
            titles.append(one.title)
    entries = [
        {
            "wrong": wrong, "kind": kind, "titles": sorted(titles),
            "reason": reasons.get((wrong, kind), "Not closed yet: research, kinds of attacks."),
        }
        for (wrong, kind), titles in by_kind.items()
    ]  # fmt: skip
    path.write_text(yaml.safe_dump({"open": entries}, sort_keys=False, width=160, allow_unicode=True), encoding="utf-8")
