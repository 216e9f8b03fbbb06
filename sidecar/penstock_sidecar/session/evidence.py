"""The bodies of a session's audit events: its end, each statement's intent and outcome.

How it began is `login.py`'s. Sealing and storing them is `penstock_sidecar.shipping`'s; their shape is
`penstock_core.audit.event`'s. Parameters are never kept, only counted, but
for those of an emergency.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from penstock_core.audit.event import Event
from penstock_core.audit.form import Form
from penstock_core.identity import Identity
from penstock_core.policy.revocation import Revocation
from penstock_core.resources.grant import Grant
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session.in_flight import StatementRun
from penstock_sidecar.session.login import documented
from penstock_sidecar.session.parameter_values import cut, values
from penstock_sidecar.session.refusals import in_words
from penstock_sidecar.session.transactions import Ended
from penstock_sidecar.wire.messages import ErrorFields

# Decisions and results whose events are kept half-made; a session that has more distinct ones starts over.
_MOST_FORMS = 256
# How long a text may be to be kept for the next.
_LONGEST_KEPT = 2048

ACCESS_ENDED = "access for a time has ended"
# By its last message, or without.
BYE, LEFT = "the client ended the session", "the client closed the connection"

Result = Literal["ok", "error", "denied", "unexecuted", "skipped", "unknown"]


@dataclass(slots=True)
class _Decided:
    """What the intents of one decision have in common, and the text of the last: it is often that of the next, too."""

    # Kept so that its id stays its own.
    decision: Decision
    form: Form
    text: str | None = None
    digest: str = ""


class Evidence:
    """Makes the bodies of one session."""

    def __init__(
        self, session: str, database: str, identity: Identity, client: dict[str, str], key: bytes, now: int = 0,
        *, by_ticket: bool = False,
    ) -> None:  # fmt: skip
        """`by_ticket`: who it is was proved by a ticket, whose name is the client's user name."""
        self._session = session
        self._began = now
        self._by_ticket = by_ticket
        told = documented(identity, by_ticket=by_ticket)
        self._common: Event = {"session": session, "identity": told, "database": database}
        self._client = client
        # Copied for each text: to take up a key costs as much as a short text.
        self._keyed = hmac.new(key, digestmod="sha256")
        # By the id of the decision, or of the one that it is alike.
        self._intents: dict[tuple[int, str, bool, int], _Decided] = {}
        self._outcomes: dict[tuple[Result, str, Denial | None, str, bool], Form] = {}
        self._generation: int | None = None
        self._access: tuple[Grant, ...] = ()
        self._in_emergency = False
        # Why it ends, where the client did not just go.
        self._why: dict[str, str] = {}

    def decided_by(self, generation: int | None, access: tuple[Grant, ...] = ()) -> None:
        """The bundle that the policies come from by now (None: as each decision says), and the access that lasts."""
        if generation != self._generation or access is not self._access:
            self._generation, self._access = generation, access
            self._in_emergency = any(one.break_glass for one in access)
            self._intents.clear()

    def acts_as(self, identity: Identity) -> None:
        """What is recorded from now on is that identity's."""
        self._common = {**self._common, "identity": documented(identity, by_ticket=self._by_ticket)}
        self._intents.clear()

    def revoked_by(self, why: Revocation) -> None:
        """The session ends because its identity may have none any more."""
        self._why = why.recorded

    def access_ended(self, policy: str) -> None:
        """The session ends because access by that policy does."""
        self._why = {"reason": ACCESS_ENDED, "policy": policy}

    def ended_by(self, why: str | ErrorFields) -> None:
        """Why the session ends, in words or as the client reads it; the first reason counts."""
        if not self._why:
            self._why = {"reason": why} if isinstance(why, str) else {"reason": in_words(why), "sqlstate": why.sqlstate}

    def end(self, now: int, statements: int) -> Event:
        """The session is over; so many statements had an intent."""
        return {
            "kind": "session", **self._common, "event": "end", "client": self._client,
            "reason": LEFT, **self._why, "statements": statements, "durationUs": max(0, now - self._began),
        }  # fmt: skip

    def request(self, told: Mapping[str, object]) -> Event:
        """A statement waits for somebody's approval."""
        return {"kind": "request", **self._common, **told}

    def intent(
        self, decision: Decision, text: str, number: int, protocol: str, parameters: int | None,
        given: bytes | None = None, part: int = 0,
    ) -> Event:  # fmt: skip
        """What is about to run, or was refused: one `part` of the text; in an emergency with the values that it was
        `given`.
        """
        shared = decision.same_but_text or decision
        key = (id(shared), protocol, bool(parameters), part)
        known = self._intents.get(key)
        if known is None:
            if len(self._intents) >= _MOST_FORMS:
                self._intents.clear()
            form = Form(self._template(shared, protocol, part), ("statement", "parameters")[: 1 + key[2]], ("sqlHmac",))
            known = self._intents[key] = _Decided(shared, form)
        digest = self._digest(known, text)
        if self._in_emergency and (parameters or given is not None):
            found, there = values(given or b"")
            kept, whole = cut(found)
            told: Event = {"values": kept} if whole and there else {"values": kept, "valuesCut": True}
            numbers = {"statement": number, "parameters": parameters or 0}
            return {**self._template(shared, protocol, part), **numbers, "sqlHmac": digest, **told}
        if parameters:
            return known.form.body(statement=number, parameters=parameters, sqlHmac=digest)
        return known.form.body(statement=number, sqlHmac=digest)

    def _digest(self, known: _Decided, text: str) -> str:
        if text == known.text:
            return known.digest
        keyed = self._keyed.copy()
        keyed.update(text.encode(errors="surrogateescape"))
        digest = keyed.hexdigest()
        if len(text) <= _LONGEST_KEPT:
            known.text, known.digest = text, digest
        return digest

    def _template(self, decision: Decision, protocol: str, part: int) -> Event:
        told = decision.recorded[part]
        body: dict[str, Any] = {
            "kind": "intent",
            **self._common,
            "decision": decision.action.value,
            "verbs": list(told.verbs),
            "relations": list(told.relations),
            "masked": list(told.masked),
            "policies": list(decision.policies),
            "policyGeneration": decision.generation if self._generation is None else self._generation,
            "protocol": protocol,
        }
        by_name = decision.executes or decision.fetches
        said: dict[str, Any] = {
            "rewritten": told.rewritten,
            "masks": [one.document() for one in decision.masks if one.column in told.masked],
            "madeBy": list(told.made_by),
            "access": [_applied(one) for one in self._access],
            "unless": [one.document() for one in decision.conditions],
            "approvals": [one.document() for one in decision.approvals],
            "observed": decision.observed.value if decision.observed is not None else "",
            "sql": told.text or decision.audit_text,
            "runs": decision.made_from if self._in_emergency and by_name else "",
        }
        body |= {name: value for name, value in said.items() if value}
        if decision.denial is not None:
            denial = decision.denial
            body["reason"] = decision.audit_reason or denial.reason
            if hint := decision.audit_remedy or denial.remedy:
                body["hint"] = hint
            if denial.policy:
                body |= {"policy": denial.policy, "rule": denial.rule}
        return body

    def outcome(self, running: StatementRun, result: Result, size: int, now: int) -> Event:
        """What came of a statement, as far as it is known."""
        key = (result, running.sqlstate, running.refused, running.ticket, running.transaction > 0)
        form = self._outcomes.get(key)
        if form is None:
            if len(self._outcomes) >= _MOST_FORMS:
                self._outcomes.clear()
            constant = {"kind": "outcome", "session": self._session, "result": result, "sqlstate": running.sqlstate}
            if (denial := running.refused) is not None:
                constant |= {"policy": denial.policy, "rule": denial.rule, "reason": denial.reason}
            if running.ticket:
                constant["ticket"] = running.ticket
            names = ("statement", "rows", "bytes", "durationUs", "transaction")
            form = self._outcomes[key] = Form(constant, names[: 4 + key[4]])
        numbers = {
            "statement": running.number, "rows": running.rows, "bytes": size,
            "durationUs": max(0, now - running.started),
        }  # fmt: skip
        if running.transaction:
            numbers["transaction"] = running.transaction
        return form.body(**numbers)

    def transaction(self, ended: Ended) -> Event:
        """A transaction of the session has ended."""
        told: Event = {"kind": "transaction", "session": self._session, "transaction": ended.transaction}
        told["result"] = ended.result
        return {**told, "sqlstate": ended.sqlstate} if ended.sqlstate else told


def _applied(one: Grant) -> Event:
    """Access that lasts, as events have it."""
    told: Event = {"policy": one.policy, "request": one.request, "until": one.until}
    if one.break_glass:
        return {**told, "breakGlass": True}
    return {**told, "decidedBy": one.decided_by}
