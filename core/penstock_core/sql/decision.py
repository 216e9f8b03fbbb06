"""What was decided about one SQL text, and why: the value that the session acts on and the audit trail records.

How it is decided belongs in `penstock_core.sql.governor`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Literal

from penstock_core.policy.effective import CostLimit, Limit
from penstock_core.policy.holding import Holding


class Action(StrEnum):
    """What becomes of a statement."""

    ALLOW = "allow"
    REWRITE = "rewrite"
    DENY = "deny"


Ending = Literal["not", "last", "amid"]


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a statement is refused, in words for the person who wrote it."""

    # What is refused and why: `DELETE without WHERE on public.orders`.
    reason: str
    # What to do instead: `add a WHERE that is not always true`.
    remedy: str
    # Which policy and which rule of it, e.g. `support-agents` and `guardrails.requireWhere`; empty where no policy
    # says it but the gate itself (not understood, so not allowed).
    policy: str = ""
    rule: str = ""
    # The SQLSTATE that the client gets: insufficient_privilege, or 42601 where the text does not parse.
    sqlstate: str = "42501"
    # True if it is refused for naming a relation, function or type that the catalog does not hold: once the catalog
    # was read anew, the answer may be another.
    unknown_names: bool = False
    # Which word of the text it is about, counted from 0 by the scanner: the same in all texts of one shape; None: none.
    word: int | None = None
    # What is said in place of the rule in the DETAIL field.
    told: str = ""
    # True if it was not decided about, since that may take long: whoever can wait without others doing so decides it.
    deferred: bool = False

    @property
    def message(self) -> str:
        """The MESSAGE field of the error, one line."""
        return f"penstock: {self.reason}"

    @property
    def detail(self) -> str:
        """The DETAIL field: which rule of which policy, or that it was none."""
        if self.told:
            return self.told
        if self.policy:
            return f"Refused by policy {self.policy}, rule {self.rule}."
        return "The gate refused the statement before it reached the server."


@dataclass(frozen=True, slots=True)
class AppliedCondition:
    """A condition that lifted a mask of what the text reads, or that could not be evaluated, so that the mask holds."""

    # Which policy, and which rule of it: `masks[2].unless`.
    policy: str
    rule: str
    condition: str
    lifted: bool
    # `schema.table.column` of each column that this concerns, sorted.
    columns: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As audit events have it: plain JSON types."""
        return {
            "policy": self.policy,
            "rule": self.rule,
            "condition": self.condition,
            "result": "lifted" if self.lifted else "failed",
            "columns": list(self.columns),
        }


@dataclass(frozen=True, slots=True)
class AppliedMask:
    """By which mask a column showed, and which rule of which policy asks for it."""

    # `schema.table.column`.
    column: str
    mask: str
    policy: str
    rule: str

    def document(self) -> dict[str, object]:
        """As audit events have it: plain JSON types."""
        return {"column": self.column, "mask": self.mask, "policy": self.policy, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class AppliedApproval:
    """What became of a statement that an approval holds, or would hold if its policy did not only observe."""

    policy: str
    # `approvals[large-changes]`.
    rule: str
    # granted, waiting, denied, refused; cancelled, unasked; would be held, may be held.
    standing: str
    # The request's name, who decided it and when, and how long the session waited, in milliseconds.
    request: str = ""
    decided_by: str = ""
    decided_at: str = ""
    waited: int = 0

    def document(self) -> dict[str, object]:
        """As audit events have it: plain JSON types, keys only where there is a value."""
        told: dict[str, object] = {"policy": self.policy, "rule": self.rule, "standing": self.standing}
        if self.request:
            told |= {"request": self.request, "waitedMs": self.waited}
        if self.decided_by:
            told |= {"decidedBy": self.decided_by, "decidedAt": self.decided_at}
        return told


@dataclass(frozen=True, slots=True)
class Recorded:
    """One statement of a text as the trail has it."""

    # Its own verb, and those of all that stands in it or that it runs: of each write, wherever it is.
    verbs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    # Its part of the text, where there are several; and what was sent in its place, where that is another, without
    # the values in it.
    text: str = ""
    rewritten: str = ""
    # Whether it ends the transaction.
    ends: bool = False
    # The numbers that the statements have in their session which made what it runs by a name.
    made_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about one SQL text (which may hold several statements; one refused statement refuses the text)."""

    action: Action
    # What to send to the server in place of the client's text; the client's own text with ALLOW. On DENY: "".
    text: str
    # Lower-case verb of each statement in the text: `select`, `insert`, `begin`, `set`, …; empty for an empty text.
    verbs: tuple[str, ...] = ()
    # `schema.table` of each relation of the user's that the text reads or writes, sorted.
    relations: tuple[str, ...] = ()
    # `schema.table.column` of each governed column that was masked, sorted.
    masked: tuple[str, ...] = ()
    # The policies that took part, sorted, and the generation of the bundle they came from.
    policies: tuple[str, ...] = ()
    generation: int = 0
    denial: Denial | None = None
    # In `mode: observe`: what would have become of the statement; `denial` and `masked` then tell the would-be.
    observed: Action | None = None
    # What conditions of masks came to, of columns of the relations.
    conditions: tuple[AppliedCondition, ...] = ()
    # True if it may write or have another effect than returning rows: its intent must be durable before it is sent.
    writes: bool = False
    # True if ROLLBACK undoes all that it does: rows of plain tables, and nothing runs that could do anything else.
    undone_by_rollback: bool = False
    # True if parsing it may run code of the database's own, so that its intent must be durable even before that.
    runs_code_when_parsed: bool = False
    # True if it may change the catalog, and so the meaning of other sessions' statements, once it is committed; and if
    # that can't be held back at its end: of several statements, or where it may commit itself.
    changes_catalog: bool = False
    commits_itself: bool = False
    # True if it touches governed data, so that error and notice texts from the server are reduced to fixed ones.
    redact_errors: bool = False
    # The SQLSTATE that it fails with where rows make it fail, whatever they do, since which of them come first may
    # depend on masked values; empty where errors keep their own.
    mixed_errors: str = ""
    # True if it changes (or may change) search_path: later bare names resolve by an unknown path.
    changes_search_path: bool = False
    # True if it may change, for the session, what no identity with masks may.
    loosens: bool = False
    # True if the last such change sets it back to what the session began with (RESET ALL, DISCARD ALL): if no
    # transaction is open when the text has succeeded, that path is known again.
    resets_search_path: bool = False
    # Names of prepared statements and cursors that the text makes in SQL (cursors with whether they outlive their
    # transaction), and of those that it runs: what these were made of was decided then.
    prepares: tuple[str, ...] = ()
    # The text as the client sent it, where it makes any: to be decided again when the catalog or the policy changed.
    made_from: str = ""
    declares: tuple[tuple[str, bool], ...] = ()
    executes: tuple[str, ...] = ()
    fetches: tuple[str, ...] = ()
    # Those that it gives up, by name: `*` for all.
    deallocates: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    # Names of temporary tables that the session has from then on; and whether it gives up all that it had.
    temporary: frozenset[str] = frozenset()
    drops_temporary: bool = False
    # Names of temporary tables that it drops one by one.
    drops_tables: frozenset[str] = frozenset()
    # What the transaction has made by it, by schema (empty where none was written) and name, that no catalog outside
    # has and that holds only what came through here; and what had been made and is gone, or gone by that name.
    makes: frozenset[tuple[str, str]] = frozenset()
    unmakes: frozenset[tuple[str, str]] = frozenset()
    # Whether it ends the transaction: nothing of it does, its last statement does, or one before that. And what it
    # makes that is there after the transaction and may hold rows, in words; empty where it makes nothing of the kind.
    ends: Ending = "not"
    outlasts: str = ""
    # The most rows that it may return, where it may return any; then it is a single statement.
    row_limit: Limit | None = None
    # The most rows that it may change, where it may change any; then it is a single statement, too.
    change_limit: Limit | None = None
    # What tells which approvals hold it, where policies have any; and what became of that when it was to run.
    holding: Holding | None = None
    approvals: tuple[AppliedApproval, ...] = ()
    # The most that the planner may estimate, where it plans something; and what it is asked about, if not the text.
    cost_limit: CostLimit | None = None
    priced: str = ""
    # The SQL as the audit trail stores it by policy: normalized (no literals, no comments), full, or "" for hash.
    audit_text: str = ""
    # Why it is refused, and what to do instead, without the values that the text holds; empty where that is what the
    # denial says.
    audit_reason: str = ""
    audit_remedy: str = ""
    # Of the masked columns, by which mask each shows.
    masks: tuple[AppliedMask, ...] = ()
    # Its statements, as they are recorded; refused ones are recorded together.
    parts: tuple[Recorded, ...] = ()
    # Another decision that is the same but for `text`, if there is one: what is made of it may be made once.
    same_but_text: Decision | None = field(default=None, compare=False, repr=False)

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """Its statements as they are recorded, one at least."""
        return self.parts or (Recorded(self.verbs, self.relations, self.masked, ends=self.ends != "not"),)

    def changed(self, **values: Any) -> Decision:
        """A copy with these values, as `dataclasses.replace` makes it in three times as long: each new text of a known
        shape needs one.
        """
        copy = _new(Decision)
        for write, value in zip(_WRITERS.values(), _read(self), strict=True):
            write(copy, value)
        for name, value in values.items():
            _WRITERS[name](copy, value)
        return copy


_new = object.__new__
# What sets each field, past the check that nothing is changed.
_WRITERS: dict[str, Any] = {one.name: vars(Decision)[one.name].__set__ for one in fields(Decision)}
_read: Any = attrgetter(*_WRITERS)
