"""The kinds of audit events and their fields: the one definition that the documents, the JSON Schema, the collector and
the verifier go by. Data alone; how an event is held against it is `schema.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from penstock_core.audit.event import Kind

# `text`: any text; `hash`: 64 hex digits; `time`: RFC 3339, UTC; `whole`: a number from 0; `flag`: true or false;
# `object`: with fields of its own; `any`: whatever it is.
Type = Literal["text", "hash", "time", "whole", "flag", "object", "any"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event, or of an object in one."""

    name: str
    type: Type
    words: str
    # It is in each event of the kind; the others are left out where there is nothing to say.
    always: bool = False
    # A list of such.
    many: bool = False
    # The texts that it may be, if any are set.
    one_of: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of event."""

    words: str
    fields: tuple[Field, ...]
    # Without what sealing adds.
    example: dict[str, Any]


def _text(name: str, words: str, *one_of: str, always: bool = False) -> Field:
    return Field(name, "text", words, always=always, one_of=one_of)


def _whole(name: str, words: str, *, always: bool = False) -> Field:
    return Field(name, "whole", words, always=always)


def _texts(name: str, words: str, *, always: bool = False) -> Field:
    return Field(name, "text", words, always=always, many=True)


def _object(name: str, words: str, *fields: Field, always: bool = False, many: bool = False) -> Field:
    return Field(name, "object", words, always=always, many=many, fields=fields)


# What every event has: sealing adds it.
ENVELOPE: tuple[Field, ...] = (
    _whole("v", "the version of this definition", always=True),
    _text(
        "stream", "`<pod uid or gateway name>/<boot id>`; of the collector's own, `collector:` and its id", always=True
    ),
    _whole("seq", "its number in the stream, from 1", always=True),
    Field("prev", "hash", "the hash of the event before it; 64 zeros at the beginning", always=True),
    Field("time", "time", "when it was sealed", always=True),
    _text("kind", "its kind", always=True),
    Field("hash", "hash", "SHA-256 of the event's canonical bytes (RFC 8785) without this field", always=True),
)
# Of an event that was larger than the collector takes.
CUT: tuple[Field, ...] = (
    _texts("truncated", "the names of the fields that were cut, since the event was too large"),
    _whole("bytesBefore", "how large it was"),
)
_PRINCIPAL = (
    _text("kind", "`person`, `agent` or `service`"), _text("subject", "who, in the issuer's words"),
    _text("issuer", "who says so"), _texts("groups", "its groups"),
    _whole("groupsLeftOut", "how many more groups there are, of a refused login"),
    _text("assurance", "whether it was verified, or is what the issuer asserts", "verified", "asserted"),
    _text("provenBy", "`context`, where a signed context of one transaction proved it"),
)  # fmt: skip
_IDENTITY = (
    _text("name", "as people know it", always=True),
    _object(
        "workload", "the pod that the gate is in", _text("namespace", "its namespace"),
        _text("serviceAccount", "its service account"), _text("pod", "its name"), _text("podUid", "its uid"),
    ),
    _object("principal", "who proved by a token or ticket who it is", *_PRINCIPAL),
    _object("actsFor", "for whom it acts, nearest first", *_PRINCIPAL, many=True),
    _text("login", "`ticket`, if a ticket proved it; the client's user is the ticket's name then"),
)  # fmt: skip
_WHO = _object("identity", "whose it is", *_IDENTITY, always=True)
_CLIENT = (
    _text("addr", "its address"), _text("application", "its application_name, which it may choose"),
    _text("user", "its user name"), _text("database", "the database that it asked for"),
)  # fmt: skip
_SESSION = _text("session", "the session's id", always=True)
_STATEMENT = _whole("statement", "its number within the session, from 1", always=True)
_DATABASE = _text("database", "the name of the Database resource", always=True)
_GENERATION = _whole("policyGeneration", "the generation of the policies that it was decided by")

_SHOWN_IDENTITY = {
    "name": "shop/support-agent",
    "workload": {"namespace": "shop", "serviceAccount": "support-agent", "pod": "support-1", "podUid": "5f0c"},
}
_SHOWN_CLIENT = {"addr": "127.0.0.1:40112", "application": "psql", "user": "app", "database": "shop"}

_DECISIONS = ("allow", "rewrite", "deny")

# What an intent tells of a statement.
_BEGUN = (
    _WHO, _DATABASE,
    _text("decision", "what became of it", *_DECISIONS, always=True),
    _text("observed", "what would have become of it, if its policies did not only observe", *_DECISIONS),
    _texts(
        "verbs", "its own verb first, then those of all that stands in it or that it runs: writes in WITH and"
        " COPY, what ON CONFLICT and MERGE do, functions", always=True,
    ),
    _texts("relations", "`schema.table` of what it reads and writes", always=True),
    _texts("masked", "`schema.table.column` of the columns that are masked in it", always=True),
    _object(
        "masks", "why each is masked", _text("column", "`schema.table.column`"), _text("mask", "its mask"),
        _text("policy", "the policy that asks for it"), _text("rule", "where in the policy"), many=True,
    ),
    _texts("policies", "the policies that took part", always=True),
    _whole("policyGeneration", "the generation of these policies", always=True),
    _text("hint", "what to do instead, as the client was told"),
    _text("sql", "the statement, by the policy's `audit.sqlText`"),
    _text("rewritten", "what was sent in its place, always without the values in it"),
    Field("sqlHmac", "hash", "the keyed digest of the whole text that it came in", always=True),
    _whole("parameters", "how many it was given"),
    _text("protocol", "how it was sent", "simple", "extended", always=True),
    Field(
        "madeBy", "whole", "of what runs by a name: the numbers of the statements that made it", many=True
    ),
    _object(
        "unless", "conditions of masks", _text("policy", "the policy"), _text("rule", "which rule of it"),
        _text("condition", "the condition"),
        _text("result", "`failed`: it could not be evaluated, so that the mask holds", "lifted", "failed"),
        _texts("columns", "the columns that this concerns"), many=True,
    ),
    _object(
        "approvals", "what became of what holds it", _text("policy", "the policy"), _text("rule", "which rule"),
        _text("standing", "how it stands"), _text("request", "the request's name"),
        _whole("waitedMs", "how long the session waited"), _text("decidedBy", "who decided"),
        _text("decidedAt", "when"), many=True,
    ),
    _object(
        "access", "access for a time that lasts", _text("policy", "the policy"), _text("request", "by which"),
        _text("until", "until when"), _text("decidedBy", "who gave it"),
        Field("breakGlass", "flag", "it was taken in an emergency"), many=True,
    ),
    Field("values", "any", "in an emergency: the values of its parameters"),
    Field("valuesCut", "flag", "there were more"),
    _text("runs", "in an emergency: the texts that made what it runs by a name"),
)  # fmt: skip
_REFUSED = (
    _text("policy", "the policy that refused it"), _text("rule", "which rule of it"),
    _text("reason", "why it was refused, without the values in it"),
)  # fmt: skip
# What an outcome tells of it.
_CAME_OF_IT = (
    _text(
        "result", "`unexecuted`: it was bound (or only parsed, where that may run code) and never executed;"
        " `skipped`: what came before it in its text or pipeline failed, so that the server left it out;"
        " `unknown`: nobody learned what came of it",
        "ok", "error", "denied", "unexecuted", "skipped", "unknown", always=True,
    ),
    _whole("transaction", "the number within the session of the transaction that it ran in, if it has run"),
    _whole("rows", "returned or changed, also before an error; of an `unknown` one at least so many"),
    _whole("bytes", "of the server's answer"), _whole("durationUs", "from when it came, in microseconds"),
    _text("sqlstate", "of the error that the client got; empty if there was none"),
    _text("ticket", "the name of the ticket that was the answer"),
)  # fmt: skip
_WENT_BEYOND = (
    _text("policy", "the policy whose limit it went beyond while it ran"), _text("rule", "which rule of it"),
    _text("reason", "which limit that was"),
)  # fmt: skip

DEFINITIONS: dict[Kind, Definition] = {
    "open": Definition(
        "The stream's first event: a gate, or the collector, has started.",
        (
            _text("database", "the names of the Databases, with commas between"), _text("version", "the program's"),
            _GENERATION, Field("policyDigest", "hash", "a hash of what they and the Database say"),
        ),
        {"kind": "open", "database": "shop", "version": "0.1.0", "policyGeneration": 7, "policyDigest": "0" * 64},
    ),
    "policy": Definition(
        "The gate took over policies that change something; the first ones, too.",
        (
            _DATABASE,
            _whole("policyGeneration", "the generation of these policies", always=True),
            Field(
                "policyDigest", "hash", "a hash of what they and the Database say, the same at every gate: where"
                " control counts before the operator does, a number may come again for others",
            ),
            _whole("formerGeneration", "that of those before; not of the first"),
            _object(
                "policies", "all of them", _text("name", "the policy's name"), _text("mode", "what becomes of it"),
                always=True, many=True,
            ),
            _texts("changes", "what changed, in words; modes first", always=True),
        ),
        {
            "kind": "policy", "database": "shop", "policyGeneration": 8, "policyDigest": "0" * 64,
            "formerGeneration": 7,
            "policies": [{"name": "support-agents", "mode": "observe"}],
            "changes": [
                "policy support-agents: mode was enforce, is observe: nothing of it is carried out any more: no mask,"
                " no refusal"
            ],
        },
    ),
    "login": Definition(
        "A client logged in, or was refused. Refused logins that are alike are one event with a count.",
        (
            _text("session", "the session's id; not of several that were refused"),
            _text("outcome", "how it went", "accepted", "refused", always=True),
            _text("database", "the name of the Database resource, or what was asked for"),
            _object("client", "what it connects with", *_CLIENT),
            _object("identity", "who it is, if that was verified", *_IDENTITY),
            Field("asserted", "any", "what the client, or a token that was refused, says of itself"),
            _text("reason", "why it was refused"), _text("sqlstate", "the code that the client got"),
            _text("policy", "the policy that refused it"), _whole("count", "how many were alike"),
            Field("fromTime", "time", "the first of them"), Field("toTime", "time", "the last of them"),
            _texts("addresses", "where they came from, of such as were too many to tell apart"),
        ),
        {
            "kind": "login", "session": "9d2a", "outcome": "accepted", "database": "shop", "client": _SHOWN_CLIENT,
            "identity": _SHOWN_IDENTITY, "asserted": {"application": "psql"},
        },
    ),
    "session": Definition(
        "A session ended. Streams of version 1 may tell of its beginning, too (`start`, `refused`).",
        (
            _SESSION, _text("event", "what happened to it", always=True),
            _object("identity", "whose it was", *_IDENTITY), _text("database", "the name of the Database resource"),
            _object("client", "what it connected with", *_CLIENT),
            _text("reason", "why it ended"), _text("sqlstate", "the code that the client got"),
            _text("policy", "the policy by which it was ended"), _whole("statements", "how many it had"),
            _whole("durationUs", "how long it lasted, in microseconds"),
        ),
        {
            "kind": "session", "session": "9d2a", "identity": _SHOWN_IDENTITY, "database": "shop", "event": "end",
            "client": _SHOWN_CLIENT, "reason": "the client ended the session", "statements": 12, "durationUs": 4012345,
        },
    ),
    "request": Definition(
        "A statement waits for somebody's approval; each time that it is sent.",
        (
            _SESSION, _WHO, _DATABASE, _text("request", "the request's name", always=True),
            _text("policy", "the policy that holds it"), _text("rule", "the rule of it"),
            _texts("approvers", "the groups that may decide"), _texts("verbs", "what it does"),
            _texts("relations", "to which tables"), _whole("estimatedRows", "how many rows the planner expects"),
            _text("expiresAt", "until when it waits"),
        ),
        {
            "kind": "request", "session": "9d2a", "identity": _SHOWN_IDENTITY, "database": "shop", "request": "r-17",
            "policy": "support-agents", "rule": "approvals[deletes]", "approvers": ["dba"], "verbs": ["delete"],
            "relations": ["public.orders"], "estimatedRows": 3, "expiresAt": "2026-11-28T10:00:00Z",
        },
    ),
    "emergency": Definition(
        "The gate heard that somebody broke the glass, whatever sessions there are.",
        (
            _WHO, _DATABASE, _text("request", "the request's name", always=True), _text("policy", "what was taken"),
            _text("until", "until when it lasts"),
        ),
        {
            "kind": "emergency", "identity": _SHOWN_IDENTITY, "database": "shop", "request": "e-3",
            "policy": "incident", "until": "2026-11-28T11:00:00Z",
        },
    ),
    "around": Definition(
        "Other sessions with the database than before go around the gate: from its own address, and not its own.",
        (
            _DATABASE, _whole("count", "how many there are now; 0: no more", always=True),
            _texts("logins", "the first of them: role and application_name, which it may choose", always=True),
        ),
        {"kind": "around", "database": "shop", "count": 1, "logins": ["app (migrate.py)"]},
    ),
    "intent": Definition(
        "A statement is about to run, or was refused. Of a text with several statements, each has an intent; a text"
        " that was refused has one.",
        (_SESSION, _STATEMENT, *_BEGUN, *_REFUSED),
        {
            "kind": "intent", "session": "9d2a", "statement": 3, "identity": _SHOWN_IDENTITY, "database": "shop",
            "decision": "rewrite", "verbs": ["select"], "relations": ["public.customers"],
            "masked": ["public.customers.email"],
            "masks": [
                {"column": "public.customers.email", "mask": "hash", "policy": "support-agents", "rule": "masks[0]"}
            ],
            "policies": ["support-agents"], "policyGeneration": 7, "protocol": "simple",
            "sql": "SELECT email FROM customers WHERE id = $1",
            "rewritten": "SELECT email FROM (SELECT id AS id, mask(email, $1) AS email FROM public.customers) AS"
            " customers WHERE id = $2",
            "sqlHmac": "0" * 64,
        },
    ),
    "outcome": Definition(
        "What came of a statement.",
        (_SESSION, _STATEMENT, *_CAME_OF_IT, *_WENT_BEYOND),
        {
            "kind": "outcome", "session": "9d2a", "statement": 3, "result": "ok", "transaction": 2, "rows": 1,
            "bytes": 98, "durationUs": 812, "sqlstate": "",
        },
    ),
    "statement": Definition(
        "A statement that was over before its intent was on its way to the disk: intent and outcome in one event, in"
        " place of both.",
        (
            _SESSION, _STATEMENT, *_BEGUN, *_CAME_OF_IT,
            _text("policy", "the policy that refused it, or whose limit it went beyond while it ran"),
            _text("rule", "which rule of it"),
            _text("reason", "why it was refused, without the values in it; or which limit that was"),
        ),
        {
            "kind": "statement", "session": "9d2a", "statement": 3, "identity": _SHOWN_IDENTITY, "database": "shop",
            "decision": "allow", "verbs": ["select"], "relations": ["public.orders"], "masked": [],
            "policies": ["support-agents"], "policyGeneration": 7, "protocol": "extended", "parameters": 1,
            "sql": "SELECT total FROM orders WHERE id = $1", "sqlHmac": "0" * 64, "result": "ok", "transaction": 2,
            "rows": 1, "bytes": 98, "durationUs": 812, "sqlstate": "",
        },
    ),
    "transaction": Definition(
        "A transaction ended, and the outcomes of its statements do not tell how. Without such an event, it was a"
        " single statement, and ended as its outcome says.",
        (
            _SESSION, _whole("transaction", "its number within the session, from 1", always=True),
            _text(
                "result", "`prepared`: for two phases, and neither is certain",
                "commit", "rollback", "prepared", "unknown", always=True,
            ),
            _text("sqlstate", "of an error that is no statement's: a deferred constraint's, or of what does not exist"),
        ),
        {"kind": "transaction", "session": "9d2a", "transaction": 2, "result": "rollback", "sqlstate": "23503"},
    ),
    "heartbeat": Definition("Nothing happened for a while: by this a silent stream shows.", (), {"kind": "heartbeat"}),
    "loss": Definition(
        "Statements ran that are not on record, or records were lost.",
        (
            # However it is told, a loss is never put aside: it is an alarm.
            Field("count", "any", "how many, where that is known"), Field("fromTime", "any", "the first"),
            Field("toTime", "any", "the last"), Field("cause", "any", "why", always=True),
        ),
        {
            "kind": "loss", "count": 12, "fromTime": "2026-11-28T09:59:58.120Z", "toTime": "2026-11-28T09:59:59.000Z",
            "cause": "the audit spool is full",
        },
    ),
    "close": Definition(
        "The stream's last event.", (_text("reason", "why it ends"),), {"kind": "close", "reason": "shutdown"}
    ),
    "reading": Definition(
        "Somebody read the trail, or tried to; in the collector's own stream ([collector.md](collector.md)).",
        (
            _text("action", "what was done", always=True),
            _object(
                "by", "who it was", _text("name", "as people know it"), _text("kind", "what it is"),
                _text("how", "how that was proved"), _text("issuer", "who says so"), _text("subject", "in its words"),
                _texts("roles", "what it may do"),
            ),
            _text("session", "the session of who signed in"),
            _object("client", "from where", _text("addr", "its address")),
            _text("what", "what was read"),
            _object(
                "filters", "what was looked for", _text("name", "the filter"), _text("value", "its value"), many=True,
            ),
            _text("result", "what came of it"), _text("reason", "why it was refused"),
        ),
        {
            "kind": "reading", "action": "search",
            "by": {"name": "ada@example.com", "kind": "person", "roles": ["viewer"]},
            "client": {"addr": "10.0.0.7"}, "filters": [{"name": "verb", "value": "delete"}],
        },
    ),
    "dropped": Definition(
        "Retention deleted events; in the collector's own stream.",
        (
            _text("why", "by which rule", always=True),
            _object(
                "ranges", "what was deleted", _text("stream", "of which stream"), _whole("first", "the first seq"),
                _whole("last", "the last seq"), _text("hash", "the hash that the rest follows"), always=True, many=True,
            ),
        ),
        {
            "kind": "dropped", "why": "older than 90 days",
            "ranges": [{"stream": "5f0c/1b2c", "first": 1, "last": 1200, "hash": "0" * 64}],
        },
    ),
}  # fmt: skip
