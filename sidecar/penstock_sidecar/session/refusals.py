"""The errors that a client gets from the gate itself, and the statements that fail in a refused one's place.

Which statement is refused is decided elsewhere (`penstock_core.sql`, `client_side.py`); what is left of the server's
own errors about governed data is `server_errors.py`'s.
"""

from __future__ import annotations

from dataclasses import replace

from pglast.parser import ParseError

from penstock_core.sql.decision import Action, Decision, Denial
from penstock_core.sql.syntax.tokens import words_of
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields

# Parses, and can't be analysed on any server: no relation is read, so there is no column to name. It fails with
# undefined_column; in an aborted transaction with 25P02 like every other statement.
FAILING_TEXT = "SELECT penstock_refuses FROM (SELECT) AS penstock"
UNDEFINED_COLUMN = "42703"
UNDEFINED_STATEMENT = "26000"
UNDEFINED_PORTAL = "34000"

FAILING_QUERY = messages.query(FAILING_TEXT)

# What a browser is told.
HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis is a PostgreSQL port.\r\n"
)


def denied(denial: Denial, text: str = "") -> ErrorFields:
    """What the client reads whose text was refused."""
    position = "" if denial.word is None else _position(denial.word, text)
    return ErrorFields("ERROR", denial.sqlstate, denial.message, denial.detail, denial.remedy, position)


def with_access(error: ErrorFields, askable: str) -> ErrorFields:
    """The same, with what could be asked for instead."""
    return error._replace(hint=f"{error.hint}; or {askable}" if error.hint else askable)


def _position(word: int, text: str) -> str:
    """Where that word of the text begins, in letters from 1; empty where the text is not what was decided about."""
    try:
        words = words_of(text)
    except ParseError:
        return ""
    return str(words[word].start + 1) if word < len(words) else ""


def fatal(sqlstate: str, text: str, hint: str = "") -> ErrorFields:
    """An error of the gate's own that ends the session."""
    return ErrorFields("FATAL", sqlstate, f"penstock: {text}", hint=hint)


def missing_portal(name: str) -> ErrorFields:
    """What the server says of a portal that it does not have."""
    return ErrorFields("ERROR", UNDEFINED_PORTAL, f'portal "{name}" does not exist')


def in_words(error: ErrorFields) -> str:
    """The error's message as the record has it, without our name before it."""
    return error.message.removeprefix("penstock: ")


def gate_denial(reason: str, remedy: str, sqlstate: str) -> Decision:
    """A denial by the session itself, where no text could be decided about."""
    return Decision(Action.DENY, "", denial=Denial(reason, remedy, sqlstate=sqlstate))


NOT_UTF8 = gate_denial("the statement is not valid UTF-8", "send it encoded as UTF-8", "22021")
FUNCTION_CALL = gate_denial(
    "fast-path function calls are not allowed", "call the function by SELECT", "0A000"
)  # fmt: skip


def observed(decision: Decision, text: str) -> Decision:
    """The same denial where nothing is enforced: told, and not carried out. What such a text does is not known."""
    return replace(
        decision, action=Action.ALLOW, text=text, observed=Action.DENY, writes=True, changes_search_path=True,
        changes_catalog=True, commits_itself=True,
    )  # fmt: skip


def too_long(limit: int) -> Decision:
    """The denial of a statement that was not even read."""
    return gate_denial(
        f"the statement is longer than {limit} bytes, more than the gate analyses",
        "send data as parameters or by COPY", "54000",
    )  # fmt: skip


def unrecorded(reason: str) -> ErrorFields:
    """What the client of a statement reads that was not run because it could not be recorded."""
    return ErrorFields(
        "ERROR", "53100", f"penstock: the audit trail can't be written ({reason}), so the statement was not run",
        "The policy says: audit.onFailure: block.", "try again when the trail can be written",
    )  # fmt: skip


# For sessions that ran, while it was not enforced, what no policy lets through: nothing in them can be relied on.
NOW_ENFORCED = fatal("57P01", "the policy is enforced now, for new sessions only", "connect again")
# For sessions that may have changed, while nothing was masked for them, what could tell of masked values now.
NOW_MASKED = fatal("57P01", "columns are masked now, and this session was set up without masks", "connect again")
# For sessions whose statements may run longer than the policy lets them by now.
SHORTER_TIMEOUT = "the policy shortened statementTimeout; connect again"
STALE_SQL_OBJECT = gate_denial(
    "the policy, the catalog or search_path changed since this cursor or prepared statement was created in SQL",
    "create it again", "42501",
)  # fmt: skip
BY_NAME = gate_denial(
    "EXECUTE runs queries and what changes rows; this prepared statement is another",
    "bind and execute it by the protocol's messages",
    "0A000",
)
# With the server's own code for it, by which drivers know to prepare the statement again.
OTHER_COLUMNS = gate_denial(
    "under the search_path of now, this prepared statement reads what has other columns", "prepare it again", "0A000"
)
CATALOG_CHANGING = gate_denial(
    "another session is changing the catalog, or the catalog could not be read since", "run the statement again",
    "55P03",
)  # fmt: skip
RULES_UNKNOWN = gate_denial(
    "what this statement would be decided by could not be made since the policy or the catalog changed",
    "run the statement again", "55P03",
)  # fmt: skip
RECALLED = ErrorFields(
    "ERROR", "40001", "penstock: another session changed the catalog while this statement waited for it",
    hint="run the transaction again",
)  # fmt: skip
MEANS_ANOTHER = ErrorFields(
    "ERROR", "40001", "penstock: another session changed the catalog while this statement ran", hint="run it again"
)  # fmt: skip
CATALOG_UNKNOWN = Denial(
    "other sessions changed the catalog, and it could not be read in time", "run the statement again", sqlstate="55P03"
)  # fmt: skip
CATALOG_IN_USE = Denial(
    "the catalog could not be changed: statements of other sessions, with masked columns, are still running",
    "try again when they have ended, or cancel them",
    sqlstate="55P03",
)


def stale(decision: Decision) -> Decision:
    """The denial of a statement whose portal was opened when it was decided otherwise."""
    denial = Denial("the policy or the catalog changed while this portal was open", "bind the statement again")
    return Decision(
        Action.DENY, "", decision.verbs, decision.relations, (), decision.policies, decision.generation, denial,
        audit_text=decision.audit_text,
    )  # fmt: skip
