"""The shape of an audit event: a JSON object, its kinds and fields.

Events are plain dictionaries of JSON types without floats (numbers are whole: microseconds, bytes, rows), so that
their canonical bytes are the same in every language. How they are chained is in `chain.py`.

    {"v": 1, "stream": "<pod uid or gateway name>/<boot id>", "seq": 1, "prev": "<64 hex>", "time": "2026-…Z",
     "kind": "intent", …, "hash": "<64 hex>"}

The identity of a session by a ticket has `login: "ticket"`, and its client.user is the ticket's name.
An event too large for the collector is cut (`size.py`) and has `truncated`, the names of the fields that were cut, and
`bytesBefore`. Every event has the fields above. By kind (optional ones are left out where there is nothing to say):

    open      database (of several, their names with commas between), version, policyGeneration (of one);
              the stream's first event
    login     session, outcome: "accepted" | "refused", identity (verified; not there where it was not), database,
              client: {addr, application, user, database}, asserted: {application, issuer, subject, audience, actor}
              (what a client says of itself, and a refused token), reason, sqlstate, policy (of a refused login);
              count, fromTime, toTime of refused ones that were alike within a second, told once without their sessions
              and ports; addresses, of a sum of such as were too many to tell apart, which has no client
    session   session, event: "end", identity, client, reason, sqlstate, policy (of one that was ended because its
              identity is revoked, or access for a time has ended), statements, durationUs. Earlier streams have the
              events "start", which is a login that was accepted, and "refused"
    request   session, identity, database, request, policy, rule, approvers, verbs, relations, estimatedRows, expiresAt
              (of a request for approval that waits, each time that its statement is sent)
    emergency identity, database, request, policy, until
              (a gate of a cluster has heard that somebody broke the glass, whatever sessions there are)
    intent    session, statement, identity, database, decision: "allow" | "rewrite" | "deny", observed, verbs,
              relations, masked, policies, policyGeneration, policy, rule, reason, sql, sqlHmac, parameters, protocol,
              unless: [{policy, rule, condition, result: "lifted" | "failed", columns}]   (failed: the mask holds),
              approvals: [{policy, rule, standing, request, waitedMs, decidedBy, decidedAt}]   (docs/approvals.md),
              access: [{policy, request, until, decidedBy, breakGlass}]   (while access for a time lasts),
              values, valuesCut, runs   (in an emergency alone: of parameters; the texts that made what runs by a name)
    outcome   session, statement, result: "ok" | "error" | "denied" | "unexecuted" | "unknown", rows, bytes, durationUs,
              sqlstate, policy, rule, reason (of a limit that it went beyond while it ran), ticket (the name of the one
              that it was answered with); unexecuted: it was bound (or only parsed, where that may run code), and never
              executed
    heartbeat head (the seq and hash so far are the event's own)    so that a silent stream shows
    loss      count, fromTime, toTime, cause       statements that ran unrecorded (`onFailure: continue`)
    close     reason                                                the stream's last event
    reading   action, by: {name, kind, how, issuer, subject, roles}, session, client: {addr}, what, filters: [{name,
              value}], result, reason           of the collector's own stream: who read what there (docs/collector.md)
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Kind = Literal[
    "open", "login", "session", "request", "emergency", "intent", "outcome", "heartbeat", "loss", "close", "reading"
]
KINDS: tuple[Kind, ...] = (
    "open", "login", "session", "request", "emergency", "intent", "outcome", "heartbeat", "loss", "close", "reading",
)  # fmt: skip

# A chained event, or the body of one before the chain adds v, stream, seq, prev, time and hash.
Event: TypeAlias = dict[str, Any]

VERSION = 1

# How the name of the collector's own stream begins, which no gate's can.
OWN = "collector:"
