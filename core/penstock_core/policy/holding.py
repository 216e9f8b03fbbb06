"""Which approvals hold a statement: what `when` comes to, by what the statement does and by who sends it.

What a text does is found out by `penstock_core.sql`; asking for approval is the gate's, what becomes of a request
`penstock_core.approvals`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from penstock_core.conditions import WHEN, ConditionError, Truth, Verdict, condition
from penstock_core.policy.effective import VERBS, ApprovalRule

Facts = Mapping[str, object]

ROWS, COST, IN_TRANSACTION = "statement.estimatedRows", "statement.estimatedCost", "statement.inTransaction"
# What ends or begins transactions is never held: what was done in them was decided about when it was done.
_CONTROL = frozenset({
    "begin", "commit", "rollback", "savepoint", "release", "prepare transaction", "commit prepared",
    "rollback prepared", "transaction",
})  # fmt: skip
# What handles no rows when it is run.
_NO_ROWS = frozenset({
    "set", "reset", "show", "discard", "deallocate", "close", "listen", "unlisten", "notify", "prepare", "declare",
    "explain",
})  # fmt: skip
# Whole numbers end there, to conditions.
_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Effects:
    """What a text does when it runs."""

    # Its own verbs, and those of `allow` that it uses: also in WITH, by MERGE, in EXPLAIN ANALYZE, by functions.
    verbs: frozenset[str] = frozenset()
    # schema.table of what it reads or writes.
    tables: frozenset[str] = frozenset()
    # False if it runs code that nobody has read: that may do anything.
    known: bool = True

    def __or__(self, other: Effects) -> Effects:
        return Effects(self.verbs | other.verbs, self.tables | other.tables, self.known and other.known)

    def facts(self) -> Iterator[Facts]:
        """What conditions may know of it: once for each verb."""
        verbs = (self.verbs if self.known else self.verbs | VERBS) - _CONTROL
        common: dict[str, object] = {"statement.verbs": sorted(verbs)}
        if self.known:
            common["statement.tables"] = sorted(self.tables)
        if verbs <= _NO_ROWS:
            common |= {ROWS: 0, COST: 0}
        for verb in sorted(verbs):
            yield {**common, "statement.verb": verb}


@dataclass(frozen=True, slots=True)
class Holding:
    """What has to be known of a text to tell who holds it."""

    does: Effects = Effects()
    # What it makes under a name, and does not run: PREPARE, DECLARE.
    makes: Effects = Effects()
    # The rules that may hold it, by what it does; and those that would, if the policies that observe were enforced.
    rules: tuple[ApprovalRule, ...] = ()
    observed: tuple[ApprovalRule, ...] = ()
    # Settings of no module's and not the server's own that it changes: the server lists them nowhere.
    sets: frozenset[str] = frozenset()
    # Whether it may change any others than search_path: what was prepared, declared or bound before means what it did.
    changes_settings: bool = False
    # Whether it runs code that may set what nobody knows the name of.
    sets_unknown: bool = False
    # Whether the planner can be asked about it; and whether it is one of several statements.
    planned: bool = False
    several: bool = False

    @property
    def concerns(self) -> bool:
        """Whether anything may hold it, or would."""
        return bool(self.rules or self.observed)

    def observing(self) -> Holding:
        """The same where nothing is enforced."""
        return replace(self, rules=(), observed=tuple(dict.fromkeys((*self.rules, *self.observed))))


def holding(rules: tuple[ApprovalRule, ...], made: Holding, *, by_name: bool) -> Holding:
    """With the rules that may hold it; `by_name`: what it runs is not known from its text alone."""
    if made.does.verbs <= _CONTROL and made.does.known:
        return made
    possible = rules if by_name else tuple(one for one in rules if _may_hold(one, made.does))
    return replace(made, rules=possible)


def with_observed(enforced: Holding | None, observed: Holding | None) -> Holding | None:
    """What is enforced, with what would be beyond that."""
    if observed is None:
        return enforced
    if enforced is None:
        return observed.observing()
    beyond = tuple(one for one in observed.rules if one not in enforced.rules)
    return replace(enforced, observed=beyond)


def asks_estimates(rules: Iterable[ApprovalRule]) -> bool:
    """Whether what the planner says may decide."""
    return any(not {ROWS, COST}.isdisjoint(_names(rule)) for rule in rules)


def estimates(rows: float | None, cost: float | None) -> dict[str, object]:
    """What the planner said, as conditions have it: whole numbers, rounded up."""
    said = ((ROWS, rows), (COST, cost))
    return {name: math.ceil(min(value, _MOST)) for name, value in said if value is not None and value >= 0}


def judged(rule: ApprovalRule, effects: Effects, facts: Facts) -> Verdict:
    """What the rule's condition comes to: for each of the verbs, and what is worst of that.

    ERROR before TRUE before ABSENT before FALSE.
    """
    try:
        when = condition(rule.when, WHEN)
    except ConditionError as error:
        # Such a policy is refused before it comes here; if it does, nothing runs unheld for it.
        return Verdict(Truth.ERROR, str(error))
    return _worst(when.evaluate({**facts, **own}) for own in effects.facts())


def judged_for(rule: ApprovalRule, effects: Effects, parties: Sequence[Facts]) -> Verdict:
    """The same for several whose rights decide, an agent and the one whom it acts for: what is worst of that."""
    return _worst(judged(rule, effects, facts) for facts in parties or ({},))


def _worst(found: Iterable[Verdict]) -> Verdict:
    order = (Truth.ERROR, Truth.TRUE, Truth.ABSENT, Truth.FALSE)
    return min(found, key=lambda one: order.index(one.truth), default=Verdict(Truth.FALSE))


def _may_hold(rule: ApprovalRule, effects: Effects) -> bool:
    return judged(rule, effects, {}).truth is not Truth.FALSE


def _names(rule: ApprovalRule) -> frozenset[str]:
    try:
        return condition(rule.when, WHEN).names
    except ConditionError:
        return frozenset()
