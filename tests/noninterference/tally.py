"""What came of everything that was tried: counts by part, and each leak and each refusal that should not be.

What is printed of it is `report.py`'s; which findings are known is `known.py`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Result = Literal["equal", "refused", "reordered", "leaked", "unstable"]
# Refused or wrong where it should work; a leak is worse and counted apart.
Wrong = Literal["leaked", "useless"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    wrong: Wrong
    part: str
    # `kind: name` of a scene, or the tool and the statement.
    title: str
    # The statement at which it shows, made as short as was possible.
    said: str
    why: str
    postgres: int
    mode: str = "simple"

    @property
    def line(self) -> str:
        said = " ".join(self.said.split())
        return f"{self.part}, PostgreSQL {self.postgres}, {self.mode}: {self.title} | {said[:300]} | {self.why[:300]}"


@dataclass(slots=True)
class Tally:
    """All of one run."""

    counts: dict[tuple[str, int], Counter[Result]] = field(default_factory=dict)
    # Of a list that should work: how many of its entries do, and how many there are.
    useful: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    # Statements that can't tell twins apart without the gate either.
    toothless: list[str] = field(default_factory=list)

    def count(self, part: str, postgres: int, result: Result) -> None:
        self.counts.setdefault((part, postgres), Counter())[result] += 1

    def judge(self, name: str, postgres: int, *, works: bool) -> None:
        """One entry of a list that should work."""
        pair = self.useful.setdefault((name, postgres), [0, 0])
        pair[0] += works
        pair[1] += 1

    def find(self, finding: Finding) -> None:
        self.findings.append(finding)

    def leaks(self) -> Iterator[Finding]:
        return (one for one in self.findings if one.wrong == "leaked")

    def useless(self) -> Iterator[Finding]:
        return (one for one in self.findings if one.wrong == "useless")

    def total(self, result: Result) -> int:
        return sum(counter[result] for counter in self.counts.values())
