"""The combined policy of one identity, by which decisions are made.

How the resources are matched and combined is in `combine.py`; what a mask does to SQL in
`penstock_core.sql.masking.masks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from penstock_core.resources.grant import Grant

MaskKind = Literal["null", "redact", "constant", "hash", "partial", "email", "year", "month", "bucket"]
SqlTextMode = Literal["normalized", "full", "hash"]
OnFailure = Literal["block", "continue"]
RowOrder = Literal["always", "complete", "unspecified"]

# Whose policies: the agent's, or those of whom it acts for.
Party = Literal["agent", "beneficiary"]

# Each strictest first.
SQL_TEXT: tuple[SqlTextMode, ...] = ("hash", "normalized", "full")
ROW_ORDER: tuple[RowOrder, ...] = ("always", "complete", "unspecified")
ON_FAILURE: tuple[OnFailure, ...] = ("block", "continue")

# Strictest first: where two masks meet on one column, the kind that stands earlier wins.
STRICTNESS: tuple[MaskKind, ...] = (
    "null", "redact", "constant", "hash", "partial", "email", "year", "month", "bucket",
)  # fmt: skip

# What these show does not depend on the value.
_CONSTANT: frozenset[MaskKind] = frozenset({"null", "redact", "constant"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a rule stands, for messages and the audit trail: the policy's name and the path inside its spec."""

    policy: str
    path: str


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask, ready to be turned into SQL."""

    kind: MaskKind
    rule: Rule
    # constant: the text, cast to the column's type.
    value: str = ""
    # partial: how many characters stay at either end; the rest become `fill`.
    keep_first: int = 0
    keep_last: int = 0
    fill: str = "*"
    # bucket: the distance from one multiple to the next.
    size: float = 0.0
    # What a policy chooses of the columns' writing, each off by default: that unique constraints may tell which values
    # are there; that other values may be stored; that what was read may be written back, and changes nothing.
    reveals_uniqueness: bool = False
    writable: bool = False
    ignores_write_back: bool = False
    # Of an agent that acts for somebody: by whose policies it is there. Empty where there is one party only.
    parties: frozenset[Party] = frozenset()

    @property
    def strictness(self) -> tuple[int, float, str, str]:
        """What masks are compared by where several meet on one column: the smallest wins.

        By kind, then by how much of the value stays, then by policy and path, so that the choice never varies.
        """
        stays = self.keep_first + self.keep_last - self.size
        return STRICTNESS.index(self.kind), stays, self.rule.policy, self.rule.path

    @property
    def title(self) -> str:
        """What it is called in messages: its kind, and the size of a bucket, which may be what is wrong with it."""
        return f"{self.kind} of {self.size:.15g}" if self.kind == "bucket" else self.kind


def stricter(one: Mask, other: Mask) -> Mask:
    """Of two masks of one column the stricter; what is chosen of its writing holds if both say so.

    Of two parties' masks it must tell no more than either: where neither of them is such, nothing is shown.
    """
    parties = one.parties | other.parties
    first, second = sorted((one, other), key=lambda mask: mask.strictness)
    if len(parties) > 1 and not _tells_no_more(first, second):
        first = Mask("null", first.rule)
    return replace(
        first,
        reveals_uniqueness=one.reveals_uniqueness and other.reveals_uniqueness,
        writable=one.writable and other.writable,
        ignores_write_back=one.ignores_write_back and other.ignores_write_back,
        parties=parties,
    )


def _tells_no_more(one: Mask, other: Mask) -> bool:
    """Whether what one mask shows can be told from what the other shows, for each value and type of column."""
    if one.kind in _CONSTANT:
        return True
    if one.kind == "bucket" and other.kind == "bucket":
        # Of fractions, rounding decides.
        whole = one.size.is_integer() and other.size.is_integer() and other.size > 0
        return whole and one.size % other.size == 0
    if (one.kind, other.kind) == ("year", "month"):
        return True
    # Of two partial masks, the one that keeps less may show what is too short for the other.
    return (one.kind, one.keep_first, one.keep_last, one.fill) == (
        other.kind,
        other.keep_first,
        other.keep_last,
        other.fill,
    )


@dataclass(frozen=True, slots=True)
class MaskRule:
    """A mask and the columns it is for: patterns `schema.table.column`, each part a name or `*`."""

    columns: tuple[str, ...]
    mask: Mask


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The rows of one table that are there at all: those for which a condition in SQL is true."""

    # Schema and name, as the catalog spells them.
    table: tuple[str, str]
    where: str
    rule: Rule
    # Whether what is unique, and what numbers rows, may tell of those that are not there.
    reveals_uniqueness: bool = False


@dataclass(frozen=True, slots=True)
class ConditionedMask:
    """A mask that is lifted by its condition, or that applies because its condition can't be evaluated."""

    mask: MaskRule
    condition: str
    lifted: bool

    @property
    def rule(self) -> Rule:
        """Where the condition stands."""
        return Rule(self.mask.mask.rule.policy, f"{self.mask.mask.rule.path}.unless")


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that may not be exceeded, and the rule that says so."""

    value: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class CostLimit:
    """What the planner may estimate at most, and the rule that says so."""

    value: float
    rule: Rule


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Statements that are held until somebody approves them."""

    name: str
    # A condition in CEL, over identity, session, statement and now.
    when: str
    # Groups, any member of which may approve.
    approvers: tuple[str, ...]
    # How long a request lives, as resources write it; how long a session waits for it, in milliseconds.
    expires_after: str
    wait: int
    rule: Rule


VERBS = frozenset({"select", "insert", "update", "delete", "truncate", "create", "alter", "drop"})


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Several policies of one mode combined: a deny wins, the stricter mask wins, `allow` is the union."""

    # The policies' names, sorted.
    policies: tuple[str, ...]
    # Verbs allowed: select, insert, update, delete, …; `allow` of the policies.
    allow: frozenset[str]
    # The strictest first, of two parties by party: where several match one column, what `stricter` makes of them holds.
    masks: tuple[MaskRule, ...] = ()
    # What is not among `masks` since its condition holds, and what is although its condition can't be evaluated.
    conditioned: tuple[ConditionedMask, ...] = ()
    # Verb (update, delete) → the rule that demands a WHERE.
    require_where: tuple[tuple[str, Rule], ...] = ()
    # Function name, bare (`pg_sleep`) or qualified (`public.f`), lower-case as pg_proc has it → the rule denying it.
    deny_functions: tuple[tuple[str, Rule], ...] = ()
    # Functions of the database's own (`schema.name`) that policies vouch for, triggers' among them → the rule.
    allow_functions: tuple[tuple[str, Rule], ...] = ()
    # Channels whose messages may be read where columns are masked.
    allow_channels: frozenset[str] = frozenset()
    # How long one statement may run, in milliseconds.
    statement_timeout: Limit | None = None
    # How many rows one statement may return.
    max_rows_returned: Limit | None = None
    # What a table's rows must keep to, all of them.
    row_filters: tuple[RowFilter, ...] = ()
    # How many rows one statement may change, whatever changes them.
    max_rows_changed: Limit | None = None
    # What the planner may estimate that one statement costs.
    max_plan_cost: CostLimit | None = None
    # That statements need a context, which says for whom they are.
    require_context: Rule | None = None
    # What holds statements; each for itself.
    approvals: tuple[ApprovalRule, ...] = ()
    # Whether the order of rows is completed where masked values could show in it.
    row_order: RowOrder = "complete"
    sql_text: SqlTextMode = "normalized"
    on_failure: OnFailure = "block"

    @property
    def conceals(self) -> bool:
        """Whether anything is masked or left out."""
        return bool(self.masks or self.row_filters)

    @property
    def missing(self) -> tuple[str, ...]:
        """The verbs that no policy allows, sorted."""
        return tuple(sorted(VERBS - self.allow))

    @property
    def guards(self) -> tuple[Rule, ...]:
        """The guardrails that statements are held to."""
        limits = [one.rule for one in (self.statement_timeout, self.max_rows_changed) if one is not None]
        return (*(rule for _, rule in (*self.require_where, *self.deny_functions)), *limits)


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """What one identity may do with one database.

    `enforced` None and `observed` None: no policy matches, so nothing is allowed. `enforced` None with `observed`: all
    passes and what would have happened is recorded. Both: `enforced` is enforced, and `observed` (all matching
    policies combined, those of either mode) tells what would have happened if the observing ones were enforced too.
    """

    database: str
    enforced: PolicySet | None
    observed: PolicySet | None
    # Of the bundle that it was made from; a larger number is newer.
    generation: int = 0
    # What of it is there for a time only.
    access: tuple[Grant, ...] = ()
    # In an emergency, everything is recorded in full.
    full_record: bool = False
    # The database's classification: column patterns and their tags. It decides nothing here.
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def sql_text(self) -> SqlTextMode:
        """How the audit trail stores SQL: the strictest any policy asks for, normalized where none applies; in full in
        an emergency.
        """
        if self.full_record:
            return "full"
        modes = [one.sql_text for one in (self.enforced, self.observed) if one is not None]
        return min(modes, key=SQL_TEXT.index, default="normalized")

    @property
    def timeless(self) -> EffectivePolicy:
        """What statements are decided by: neither when it came, nor by whose approval it is there."""
        return replace(self, generation=0, access=())

    @property
    def on_failure(self) -> OnFailure:
        """What happens when the audit trail can't be written: block if any policy asks for it, or none applies."""
        modes = [one.on_failure for one in (self.enforced, self.observed) if one is not None]
        return "continue" if modes and all(mode == "continue" for mode in modes) else "block"
