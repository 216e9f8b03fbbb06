"""What a client may read of the server's errors and notices about governed data: all that can hold no row's value.

PostgreSQL quotes values in errors (`Key (email)=(ada@example.com) already exists`, `invalid input syntax … "Ada"`), so
that by default an error is reduced to its class. Let through is what is proven to come from something else than rows:

- Errors of analysis. They have a position in the statement's text, and no context nor internal query. The server gives
  a position only while it parses and analyses the text, before it reads a row: what runs later (also RAISE in a
  function of the database's own, under whatever SQLSTATE) has none, or a position in a query of its own. For classes
  42 and 0A the source file has to be one of the parser's too; class 22 is the reading of a literal in the text.
- Of statements whose rows come in an order that masked values decide, and may fail in several ways, one text for all of
  these errors.
- Errors with a text that is always the same, or has a name in it that the client itself wrote.
- The names of a violated constraint and its table and column, where the policy masks none of the columns. DETAIL, which
  quotes the row, never.

The text that the server analysed is the rewritten one: positions are found again in the client's, or left out;
`pg_catalog.` that the gate put before names is taken out; what names anything else of the gate's own is withheld.
Literals, among them the key of hash masks, are in no such message but those of class 22, which quote the literal that
is wrong: the gate's own are right.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from penstock_core.sql.decision import Decision, Denial
from penstock_core.sql.masking.filtered_writes import OUTSIDE
from penstock_core.sql.syntax.tokens import words_of
from penstock_sidecar.wire.messages import ErrorFields

# SQLSTATE class → what is said instead of the server's text. Only what the class itself says already.
_CLASSES = {
    "00": "notice", "01": "warning", "02": "no data", "08": "connection exception", "0A": "feature not supported",
    "20": "case not found", "21": "cardinality violation", "22": "data exception",
    "23": "integrity constraint violation", "25": "invalid transaction state", "26": "invalid SQL statement name",
    "28": "invalid authorization", "2B": "dependent objects still exist", "34": "invalid cursor name",
    "38": "external routine exception", "39": "external routine invocation exception", "3D": "invalid catalog name",
    "3F": "invalid schema name", "40": "transaction rollback", "42": "syntax error or access rule violation",
    "44": "check option violation", "53": "insufficient resources", "54": "program limit exceeded",
    "55": "object not in prerequisite state", "57": "operator intervention", "58": "system error",
    "P0": "PL/pgSQL error", "XX": "internal error",
}  # fmt: skip
_ANALYSIS_FILES = re.compile(r"parse_\w+\.c|analyze\.c")
# Literals that are not of their type.
_LITERALS = frozenset({"22P02", "22007", "22008", "22003"})
_FIXED = frozenset({
    "current transaction is aborted, commands ignored until end of transaction block",
    "canceling statement due to user request",
    "canceling statement due to statement timeout",
    "canceling statement due to lock timeout",
    "terminating connection due to administrator command",
    "terminating connection due to idle-in-transaction timeout",
    "terminating connection due to idle-session timeout",
    "terminating connection due to transaction timeout",
    "could not serialize access due to concurrent update",
    "could not serialize access due to concurrent delete",
    "could not serialize access due to read/write dependencies among transactions",
    "deadlock detected",
    "there is already a transaction in progress",
    "there is no transaction in progress",
    "out of shared memory",
})  # fmt: skip
# Classes of what no row decides: connections, transactions, resources, operators.
_NOT_OF_ROWS = frozenset({"00", "01", "02", "08", "25", "26", "28", "34", "3B", "40", "53", "57", "58"})
_OF_LOCKS = frozenset({"55P03"})
# In place of all errors that rows make, where masked values may decide which of them comes first.
_MIXED = {
    one.sqlstate: one
    for one in (
        Denial(
            "a row makes the statement fail; how is not told, since masked columns decide which row is first",
            "read single rows by the primary key to find it; a policy's rowOrder: unspecified would have it told",
            sqlstate="22000",
        ),
        Denial(
            "a row makes the change fail; how is not told, since masked columns decide which row is first",
            "change single rows by the primary key to find it; a policy's rowOrder: unspecified would have it told",
            sqlstate="23000",
        ),
    )
}
_OUTSIDE = Denial(
    "a row that the statement writes would not keep to a row filter of the policy, so it would not be there",
    "write values that the policy's row filter lets through",
    sqlstate="44000",
)
# What the gate may have put into a text that is no name of the client's.
_OWN = "penstock"
_QUALIFIER = "pg_catalog."
# Longer texts are not searched for the place of an error.
_LONGEST = 100_000
_Word = tuple[str, int]

Names = Callable[[str, str, str, str], bool]


def readable(fields: ErrorFields, text: str, decision: Decision | None, names: Names, mixed: str = "") -> ErrorFields:
    """The error as the client may read it, which had sent this text; `names` tells what is not masked, `mixed` the
    SQLSTATE of all that rows make.
    """
    if fields.message in _FIXED or (decision is not None and fields.message in _about_names(decision)):
        return ErrorFields(fields.severity, fields.sqlstate, fields.message)
    if OUTSIDE in fields.message and not mixed:
        return ErrorFields(fields.severity, _OUTSIDE.sqlstate, _OUTSIDE.message, hint=_OUTSIDE.remedy)
    if decision is not None and _from_analysis(fields) and not _tells_own(fields, text):
        return _plain(fields, text, decision)
    if mixed and fields.sqlstate[:2] not in _NOT_OF_ROWS and fields.sqlstate not in _OF_LOCKS:
        told = _MIXED[mixed]
        return ErrorFields(fields.severity, told.sqlstate, told.message, hint=told.remedy)
    if fields.sqlstate[:2] == "23" and names(fields.schema, fields.table, fields.column, fields.constraint):
        return _violation(fields)
    return _reduced(fields)


def _reduced(fields: ErrorFields) -> ErrorFields:
    """Its class and nothing that could hold a value."""
    text = _CLASSES.get(fields.sqlstate[:2], "error")
    return ErrorFields(fields.severity, fields.sqlstate, f"{text} (text withheld: the statement touches governed data)")


def _about_names(decision: Decision) -> set[str]:
    """What the server says of prepared statements and cursors that the client's own text names."""
    statements = (*decision.executes, *decision.prepares, *decision.deallocates)
    cursors = (*decision.fetches, *decision.closes, *(name for name, _ in decision.declares))
    return {
        *(
            f'prepared statement "{name}" {what}'
            for name in statements
            for what in ("does not exist", "already exists")
        ),
        *(f'cursor "{name}" {what}' for name in cursors for what in ("does not exist", "already exists")),
    }


def _from_analysis(fields: ErrorFields) -> bool:
    if not fields.position or fields.where or fields.internal_query or fields.internal_position:
        return False
    if fields.sqlstate in _LITERALS:
        return True
    return fields.sqlstate[:2] in ("42", "0A") and _ANALYSIS_FILES.fullmatch(fields.file) is not None


def _tells_own(fields: ErrorFields, text: str) -> bool:
    """Whether it names something that the gate put there."""
    said = f"{fields.message} {fields.detail} {fields.hint}"
    return _OWN in said.lower() and _OWN not in text.lower()


def _plain(fields: ErrorFields, text: str, decision: Decision) -> ErrorFields:
    """In terms of the client's text."""

    def unqualified(said: str) -> str:
        return said if _QUALIFIER in text else said.replace(_QUALIFIER, "")

    position = _place(int(fields.position), decision.text, text) if fields.position.isdigit() else 0
    return ErrorFields(
        fields.severity, fields.sqlstate, unqualified(fields.message), unqualified(fields.detail),
        unqualified(fields.hint), str(position) if position else "",
    )  # fmt: skip


def _place(position: int, sent: str, text: str) -> int:
    """Where the word is in the client's text that is at this place of the text sent; 0 where that is not certain.

    Both count letters from 1. The word is the same where both texts have it as often.
    """
    if sent == text:
        return position
    if max(len(sent), len(text)) > _LONGEST:
        return 0
    there, here = _words(sent), _words(text)
    word = next((word for word, at in there if at == position - 1), None)
    if word is None:
        return 0
    theirs = [at for one, at in there if one == word]
    ours = [at for one, at in here if one == word]
    return ours[theirs.index(position - 1)] + 1 if len(ours) == len(theirs) else 0


def _words(text: str) -> list[_Word]:
    """Each word as the server compares it, and where it begins."""
    try:
        found = [(text[one.start : one.end + 1], one.start) for one in words_of(text)]
    except Exception:  # what the scanner does not take is no place for a position
        return []
    return [(word.strip('"') if word.startswith('"') else word.lower(), at) for word, at in found]


def _violation(fields: ErrorFields) -> ErrorFields:
    """With the names that programs go by, and the server's text where that holds nothing else."""
    schema, table, column, constraint = fields.schema, fields.table, fields.column, fields.constraint
    texts = {
        f'duplicate key value violates unique constraint "{constraint}"',
        f'conflicting key value violates exclusion constraint "{constraint}"',
        f'null value in column "{column}" of relation "{table}" violates not-null constraint',
        f'insert or update on table "{table}" violates foreign key constraint "{constraint}"',
        f'new row for relation "{table}" violates check constraint "{constraint}"',
    }
    message = fields.message if fields.message in texts else _reduced(fields).message
    return ErrorFields(
        fields.severity, fields.sqlstate, message,
        schema=schema, table=table, column=column, constraint=constraint,
    )  # fmt: skip
