"""The tables of the evidence: what each tells, and its columns. Data alone.

Their names are those of the files; columns may be added behind the others.
"""

from __future__ import annotations

from dataclasses import dataclass

# Where a row is in the trail: whoever doubts it looks there.
_PLACE = ("stream", "seq")


@dataclass(frozen=True, slots=True)
class Table:
    """One table. A row has a value for each column."""

    name: str
    title: str
    tells: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `time` is what it is sorted by ("" where the order of coming is the right one)."""

    table: str
    time: str
    values: tuple[str, ...]


TABLES: dict[str, Table] = {
    one.name: one
    for one in (
        Table(
            "identities", "Who had access",
            "Each identity that logged in or sent a statement, and what it did in all.",
            (
                "identity", "kind", "acts_for", "assurance", "database", "first_seen", "last_seen", "logins",
                "statements", "refused", "failed", "changing_data", "rows",
            ),
        ),
        Table(
            "access", "Who used which tables",
            "Each identity's statements that ran, by table and by what they did to it. The rows are those of the whole"
            " statement.",
            ("database", "identity", "relation", "verb", "statements", "rows", "first", "last"),
        ),
        Table(
            "masks", "Which columns were masked for whom",
            "Each masked column that an identity's statements read, with the mask, and the policy and rule that asked"
            " for it; a mask that a policy's condition lifted is told as such.",
            ("database", "identity", "column", "mask", "policy", "rule", "statements", "first", "last"),
        ),
        Table(
            "refusals", "What was refused",
            "Each statement that was refused, by which rule and why.",
            ("time", "database", "identity", "policy", "rule", "reason", "verbs", "relations", "sql", *_PLACE),
        ),
        Table(
            "logins-refused", "Logins that were refused",
            "Each refused login, or many alike with their count.",
            ("time", "database", "client", "user", "identity", "reason", "policy", "count", *_PLACE),
        ),
        Table(
            "changes", "Changes of the schema and of rights",
            "Each statement that creates, alters, drops, truncates or grants, or runs code, with who approved it, where"
            " that was asked for.",
            (
                "time", "database", "identity", "verbs", "relations", "sql", "result", "decided_by", "request",
                *_PLACE,
            ),
        ),
        Table(
            "approvals", "What was held for approval",
            "Each statement that a rule held: how it stood when it was sent, and who decided.",
            (
                "time", "database", "identity", "policy", "rule", "request", "standing", "decided_by", "decided_at",
                "verbs", "relations", "sql", "result", "rows", *_PLACE,
            ),
        ),
        Table(
            "emergencies", "Emergency access",
            "Each time that somebody broke the glass, and each statement that ran by it.",
            ("time", "database", "identity", "request", "policy", "until", "sql", "result", "rows", *_PLACE),
        ),
        Table(
            "policies", "Which policies were in force, and what changed",
            "Each time that a gate took over policies that change something; the first ones, too.",
            ("time", "database", "generation", "digest", "policies", "changes", *_PLACE),
        ),
        Table(
            "around", "Sessions that went around the gate",
            "How many there were at each change, and the first of them.",
            ("time", "database", "count", "logins", *_PLACE),
        ),
        Table(
            "readings", "Who read the trail",
            "Each search, export, sign-in and decision at the collector.",
            ("time", "who", "kind", "action", "what", "filters", "result", "reason", *_PLACE),
        ),
        Table(
            "missing", "What is missing or wrong",
            "All that the check of the trail found, and each loss that the trail declares itself.",
            ("stream", "seq", "fault", "declared", "message"),
        ),
    )
}  # fmt: skip
