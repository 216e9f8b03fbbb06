"""Verdicts for people and for programs: what would happen, why, what to do instead, what the database would be sent.

What doesn't belong: judging (`judging.py`). Nothing in SQL is taken for markup or for control of the terminal.
"""

from __future__ import annotations

from collections import Counter

from pglast import parse_sql
from pglast.stream import IndentedStream
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from penstock_cli import json_lines
from penstock_cli.check.judging import JudgedStatement
from penstock_cli.terminal_text import printable
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.syntax.equivalence import means

_WORDS = {
    Action.ALLOW: ("allowed", "green"),
    Action.REWRITE: ("rewritten", "blue"),
    Action.DENY: ("refused", "red"),
}
_SQL = Syntax("", "postgresql", background_color="default")
_EXCERPT = 100
# Lists and calls that fit into so many columns stay on one line.
_MARGIN = 120
_INDENT = 4


class View:
    """Prints verdicts as they come, and a line of all of them; `refused` alone, if only those are asked for."""

    def __init__(self, *, only_refused: bool) -> None:
        self._only_refused = only_refused
        self._console = Console(soft_wrap=True, highlight=False)
        self._counts: Counter[Action] = Counter()

    def show(self, verdict: JudgedStatement) -> None:
        decision = verdict.decision
        self._counts[decision.action] += 1
        if self._only_refused and not verdict.refused:
            return
        word, colour = _WORDS[decision.action]
        statement = verdict.statement
        self._console.print(
            Text.assemble(
                f"{printable(statement.file)}:{statement.line}: ", (word, f"bold {colour}"), *_would_be(decision),
                "  ", (_excerpt(statement.text), "dim"),
            )
        )  # fmt: skip
        for name, text in _facts(verdict):
            self._console.print(Text.assemble(" " * _INDENT, (f"{name:<7} ", "dim"), printable(text)))
        if decision.action is Action.REWRITE:
            self._console.print(Text.assemble(" " * _INDENT, ("sent as", "dim")))
            self._sql(pretty(decision.text))

    def total(self, name: str) -> None:
        counts = [f"{self._counts[action]} {word}" for action, (word, _) in _WORDS.items() if self._counts[action]]
        number = self._counts.total()
        noun = "statement" if number == 1 else "statements"
        self._console.print(Text(f"{number} {noun} as {printable(name)}: {', '.join(counts)}", "bold"))

    def _sql(self, sql: str) -> None:
        clean = "\n".join(map(printable, sql.splitlines()))
        lines = _SQL.highlight(clean) if self._console.is_terminal else Text(clean)
        for line in lines.split():
            self._console.print(Text(" " * 2 * _INDENT).append_text(line))


class JsonLines:
    """Prints verdicts as JSON, one a line."""

    def __init__(self, *, only_refused: bool) -> None:
        self._only_refused = only_refused

    def show(self, verdict: JudgedStatement) -> None:
        if verdict.refused or not self._only_refused:
            json_lines.show([verdict.document()])

    def total(self, name: str) -> None:
        """The lines are all there is."""


def pretty(sql: str) -> str:
    """The SQL in lines, if in that form it still means the same; else as it is."""
    try:
        trees = tuple(one.stmt for one in parse_sql(sql) if one.stmt is not None)
        lines = str(IndentedStream(comma_at_eoln=True, compact_lists_margin=_MARGIN)(parse_sql(sql)))
        return lines if means(lines, trees, {}) else sql
    except Exception:  # pglast's printers fail in many ways; it is only for the eye
        return sql


def _would_be(decision: Decision) -> list[tuple[str, str]]:
    if decision.observed in (None, decision.action):
        return []
    return [(f" (would be {_WORDS[decision.observed][0]} if its observing policies were enforced)", "yellow")]


def _facts(verdict: JudgedStatement) -> list[tuple[str, str]]:
    denial = verdict.decision.denial
    name = "masked" if verdict.decision.action is Action.REWRITE else "would be masked"
    facts = [
        (name, f"{column} by {mask.kind} ({mask.rule.policy}: {mask.rule.path})") for column, mask in verdict.masks
    ]
    for one in verdict.decision.conditions:
        what = "are not masked" if one.lifted else "stay masked, as it can't be evaluated"
        facts.append(("unless", f"{one.condition} ({one.policy}: {one.rule}): {', '.join(one.columns)} {what}"))
    approvers = [(one, "") for one in verdict.held] + [(one, " perhaps,") for one in verdict.perhaps_held]
    for rule_, perhaps in approvers:
        groups = " or ".join(rule_.approvers)
        facts.append(("held", f"{perhaps} until {groups} approve it ({rule_.rule.policy}: {rule_.rule.path})".lstrip()))
    if denial is not None:
        rule = f" ({denial.policy}: {denial.rule})" if denial.policy else ""
        facts += [("why", f"{denial.reason}{rule}"), ("instead", denial.remedy)]
    return facts


def _excerpt(sql: str) -> str:
    line = " ".join(printable(sql).split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"
