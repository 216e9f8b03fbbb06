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
    policy    database, policyGeneration, formerGeneration (not of the first), policies: [{name, mode}], changes
              (each in words): the gate took them over. Generations that change nothing have no event
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
              relations, masked, policies, policyGeneration, policy, rule, reason, hint (what to do instead), sql,
              sqlHmac (of the whole text that it came in), parameters, protocol,
              masks: [{column, mask, policy, rule}]   (why each is masked), rewritten (what was sent in its place,
              without the values in it)
              madeBy: [statement]                   (of what runs by a name: the statements that made it),
              unless: [{policy, rule, condition, result: "lifted" | "failed", columns}]   (failed: the mask holds),
              approvals: [{policy, rule, standing, request, waitedMs, decidedBy, decidedAt}]   (docs/approvals.md),
              access: [{policy, request, until, decidedBy, breakGlass}]   (while access for a time lasts),
              values, valuesCut, runs   (in an emergency alone: of parameters; the texts that made what runs by a name)
    outcome   session, statement, result: "ok" | "error" | "denied" | "unexecuted" | "skipped" | "unknown", transaction
              (its number within the session, if it ran), rows, bytes, durationUs, sqlstate, policy, rule, reason (of a
              limit that it went beyond while it ran), ticket (the name of the one that it was answered with).
              rows: returned or changed, also before an error; of an unknown one at least so many. unexecuted: it was
              bound (or only parsed, where that may run code), and never executed; skipped: what came before it in its
              text or pipeline failed, so that the server left it out
    transaction session, transaction, result: "commit" | "rollback" | "prepared" | "unknown", sqlstate (of an error that
              came when no statement was due any more): its end, where the outcomes of its statements do not tell that.
              Without such an event, a transaction is a single statement, and ended as its outcome says
    heartbeat head (the seq and hash so far are the event's own)    so that a silent stream shows
    loss      count, fromTime, toTime, cause       statements that ran unrecorded (`onFailure: continue`)
    close     reason                                                the stream's last event
    reading   action, by: {name, kind, how, issuer, subject, roles}, session, client: {addr}, what, filters: [{name,
              value}], result, reason           of the collector's own stream: who read what there (docs/collector.md)
    dropped   why, ranges: [{stream, first, last, hash}]    of that stream too: what retention deleted, and the hash
              that the rest follows
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Kind = Literal[
    "open", "policy", "login", "session", "request", "emergency", "intent", "outcome", "transaction", "heartbeat",
    "loss", "close", "reading", "dropped",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "open", "policy", "login", "session", "request", "emergency", "intent", "outcome", "transaction", "heartbeat",
    "loss", "close", "reading", "dropped",
)  # fmt: skip

# A chained event, or the body of one before the chain adds v, stream, seq, prev, time and hash.
Event: TypeAlias = dict[str, Any]

VERSION = 1

# How the name of the collector's own stream begins, which no gate's can.
OWN = "collector:"
