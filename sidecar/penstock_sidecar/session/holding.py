"""One statement that may be held: which rules hold it by what is known, and what is asked about it.

How it waits is `held_pipeline.py`'s, what is sent to the server `held_questions.py`'s.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from penstock_core.approvals.asking import MOST_RULES, Answered, Asking, OfRule
from penstock_core.approvals.requester import requester
from penstock_core.audit.chain import MAX_SAFE_INTEGER
from penstock_core.conditions import Truth
from penstock_core.identity import Identity
from penstock_core.policy.effective import ApprovalRule
from penstock_core.policy.holding import Effects, Facts, estimates, judged_for
from penstock_core.resources.vocabulary import milliseconds
from penstock_core.sql.decision import Action, AppliedApproval, Decision
from penstock_sidecar.session.pricing import Parameters

if TYPE_CHECKING:
    from penstock_sidecar.session.held_questions import Questions
    from penstock_sidecar.wire.framing import Spot

_LONGEST_VALUE = 1024
_MOST_SETTINGS = 64
_MOST = {"verbs": 64, "tables": 256, "masked": 256}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for which database, by which session."""

    identity: Identity
    database: str
    # Unguessable, and told to nobody as it is.
    nonce: str

    @property
    def hashed_nonce(self) -> str:
        """What others may see of the nonce: it ties a request to the session, and opens nothing."""
        return hashlib.sha256(f"approvals {self.nonce}".encode()).hexdigest()

    @property
    def may_wait(self) -> bool:
        """Whether a session of this identity may wait: an agent has others to do something meanwhile."""
        principal = self.identity.principal
        return principal is None or principal.kind != "agent"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the conditions of the rules come to."""

    # Those that hold it; those that would if the planner said so; one that can't be evaluated, and why.
    holding: tuple[ApprovalRule, ...] = ()
    depending: tuple[ApprovalRule, ...] = ()
    broken: ApprovalRule | None = None
    why: str = ""

    @property
    def first(self) -> ApprovalRule | None:
        """One that holds it, or may."""
        return self.broken or next(iter((*self.holding, *self.depending)), None)

    def notes(self, standing: str) -> tuple[AppliedApproval, ...]:
        """What the trail has of those that hold it, or may, where nobody is asked."""
        rules = (self.broken,) if self.broken is not None else (*self.holding, *self.depending)
        return tuple(AppliedApproval(one.rule.policy, one.rule.path, standing) for one in rules)


def verdicts(rules: Sequence[ApprovalRule], effects: Effects, parties: Sequence[Facts]) -> Verdicts:
    """What they come to by these facts, of each whose rights decide."""
    holding: list[ApprovalRule] = []
    depending: list[ApprovalRule] = []
    for rule in rules:
        found = judged_for(rule, effects, parties)
        if found.truth is Truth.ERROR:
            return Verdicts(broken=rule, why=found.why)
        if found.truth is Truth.TRUE:
            holding.append(rule)
        elif found.truth is Truth.ABSENT:
            depending.append(rule)
    return Verdicts(tuple(holding), tuple(depending))


def effects_of(decision: Decision, ran: Sequence[tuple[str, Decision]] | None) -> Effects:
    """What a text does, with what it runs by name (None: nobody knows what that is)."""
    made = decision.holding
    effects = Effects(known=False) if made is None else made.does
    if ran is None:
        return effects | Effects(known=False)
    for _, one in ran:
        known = one.holding is not None and one.action is not Action.DENY and not (one.executes or one.fetches)
        if one.holding is None or not known:
            effects |= Effects(known=False)
        else:
            effects |= one.holding.makes if one.prepares or one.declares else one.holding.does
    return effects


def noted(decision: Decision, effects: Effects, facts: Sequence[Facts]) -> Decision:
    """With what observing policies would have held."""
    made = decision.holding
    if made is None or not made.observed or decision.approvals:
        return decision
    found = verdicts(made.observed, effects, facts)
    notes = [AppliedApproval(one.rule.policy, one.rule.path, "would be held") for one in found.holding]
    unsure = (*found.depending, *([found.broken] if found.broken is not None else []))
    notes += [AppliedApproval(one.rule.policy, one.rule.path, "may be held") for one in unsure]
    return replace(decision, approvals=tuple(notes), same_but_text=None) if notes else decision


@dataclass(slots=True)
class HeldStatement:
    """A statement under way to being approved; the message that brings it is looked at again after each step."""

    spot: Spot
    text: str
    decision: Decision
    generation: int | None
    # By the session's clock, in microseconds: since when it is held, or waits for somebody to decide.
    began: int
    # What the server was asked, and what it answered.
    questions: Questions | None = None
    # What was asked of the holder of requests under which ticket; its answer, or why there is none.
    ticket: int = 0
    asking: Asking | None = None
    answered: Answered | None = None
    trouble: str = ""
    # The answer that counts is still to come.
    due: bool = False
    # It is about a request that waits, of which an approval is not used by that.
    polled: bool = False
    # The session waits for somebody to decide; the client does not want to any more.
    waits: bool = False
    cancelled: bool = False
    # Since the server was asked the session has waited, for others meanwhile to change what it answered.
    waited_since: bool = False
    # The requests that are on record for it.
    told: set[str] = field(default_factory=set)

    @property
    def asks_again(self) -> bool:
        """Whether an approval is there after a wait, which is not used before the server was asked anew."""
        approved = self.answered is not None and self.answered.standing == "granted"
        return self.waited_since and self.polled and approved and not self.due

    @property
    def granted(self) -> bool:
        """Whether an approval was used for it."""
        return self.answered is not None and self.answered.standing == "granted" and not self.polled

    def same(self, spot: Spot, text: str, decision: Decision, generation: int | None) -> bool:
        """Whether that is the statement, decided as it was."""
        mine = self.decision
        return (
            self.spot is spot
            and (self.text, self.generation) == (text, generation)
            and (mine.text, mine.action, mine.holding) == (decision.text, decision.action, decision.holding)
        )

    def facts(self) -> Mapping[str, object]:
        """What the server said, as conditions have it."""
        asked = self.questions
        return {} if asked is None else estimates(asked.rows, asked.cost)


@dataclass(frozen=True, slots=True)
class Held:
    """What is asked about: a statement, by which rules, as what runs."""

    rules: tuple[ApprovalRule, ...]
    effects: Effects
    decision: Decision
    # The client's text, with those that it runs by name.
    sql: str
    questions: Questions
    parameters: Parameters | None
    generation: int
    key: bytes = field(repr=False)

    @property
    def too_many(self) -> bool:
        """Whether more rules hold it than a question can name."""
        return len(self.rules) > MOST_RULES

    def asked_by(self, asking: Asking | None, asker: Asker | None) -> bool:
        """Whether that was the question, by all that an approval is bound to: which rules hold it, what it reaches and
        for whom may change while it is answered, and as long as the statement is not sent.
        """
        if asking is None or asker is None:
            return False
        try:
            now = self.asking(asker)
        except ValidationError:
            return False
        return {one.digest for one in now.parts()} == {one.digest for one in asking.parts()}

    def parts(self, answered: Answered) -> list[tuple[ApprovalRule, OfRule]]:
        """How it stands with each rule that the answer is about."""
        if len(self.rules) == 1 and answered.of_rules is None:
            return [(self.rules[0], OfRule.of(*_place(self.rules[0]), answered))]
        told = {(one.policy, one.approval): one for one in answered.of_rules or ()}
        return [(one, told[_place(one)]) for one in self.rules if _place(one) in told]

    def odd(self, answered: Answered) -> bool:
        """Whether the answer leaves open how it stands with a rule, or grants without saying so of each."""
        parts = self.parts(answered)
        granted = sum(one.standing == "granted" for _, one in parts)
        return not parts if answered.standing != "granted" else granted < len(self.rules)

    def asking(self, asker: Asker) -> Asking:
        """The question. Raises ValidationError where no request can hold it."""
        effects, cost, rows = self.effects, self.questions.cost, self.questions.rows
        first, *others = (
            {
                "policy": one.rule.policy, "approval": one.name, "policyGeneration": self.generation,
                "approvers": one.approvers,
            }
            for one in self.rules
        )  # fmt: skip
        return Asking.model_validate(
            {
                "databaseRef": {"name": asker.database},
                "heldBy": first,
                "alsoHeldBy": others or None,
                "statement": {
                    "sql": self.sql, "parametersDigest": self._parameters_digest(), "settings": self._settings(),
                },
                "requester": requester(asker.identity),
                "effect": {
                    "verbs": sorted(effects.verbs)[: _MOST["verbs"]],
                    "tables": sorted(effects.tables)[: _MOST["tables"]],
                    "masked": self.decision.masked[: _MOST["masked"]],
                    "estimatedRows": rows, "estimatedCost": cost,
                },
                "expiresAfter": min((one.expires_after for one in self.rules), key=milliseconds),
                "nonce": asker.hashed_nonce,
            }
        )  # fmt: skip

    @property
    def wait(self) -> float:
        """How long its session waits, in seconds."""
        return min(one.wait for one in self.rules) / 1000

    def notes(self, standing: str, answered: Answered | None, waited: int) -> tuple[AppliedApproval, ...]:
        """What the trail has of it."""
        told = {_place(rule): one for rule, one in self.parts(answered)} if answered is not None else {}
        return tuple(_note(one, told.get(_place(one)), standing, waited) for one in self.rules)

    def told(self, answered: Answered) -> list[dict[str, object]]:
        """What the trail has of the requests that wait."""
        rows = self.questions.rows
        counted = {} if rows is None else {"estimatedRows": min(round(rows), MAX_SAFE_INTEGER)}
        return [
            {
                "request": one.request, "policy": rule.rule.policy, "rule": rule.rule.path,
                "approvers": list(rule.approvers), "verbs": sorted(self.effects.verbs)[: _MOST["verbs"]],
                "relations": sorted(self.effects.tables)[: _MOST["tables"]], "expiresAt": one.expires_at or "",
                **counted,
            }
            for rule, one in self.parts(answered) if one.standing == "waiting"
        ]  # fmt: skip

    def _parameters_digest(self) -> str | None:
        if self.parameters is None:
            return None
        content = b"penstock approvals parameters\x00" + self.parameters.types + self.parameters.given
        return hmac.digest(self.key, content, "sha256").hex()

    def _settings(self) -> list[dict[str, str]]:
        found = dict(self.questions.settings or {})
        if len(found) > _MOST_SETTINGS:
            found = {"all settings": repr(sorted(found.items()))}
        return [{"name": name, "value": _short(value)} for name, value in sorted(found.items())]


def news(before: Answered | None, now: Answered) -> Answered:
    """What is known of a statement once one of its requests was looked at."""
    if before is None or before.of_rules is None or now.of_rules is not None:
        return now
    said = {"standing": now.standing, "decided_by": now.decided_by, "decided_at": now.decided_at}
    seen = tuple(one.model_copy(update=said) if one.request == now.request else one for one in before.of_rules)
    return now.model_copy(update={"of_rules": seen})


def _place(rule: ApprovalRule) -> tuple[str, str]:
    return rule.rule.policy, rule.name


def _note(rule: ApprovalRule, told: OfRule | None, standing: str, waited: int) -> AppliedApproval:
    """What the trail has of one rule: of several, each stands as it does, as long as the statement could run."""
    if told is None:
        # Somebody said no to another rule's request, so that nobody was asked about this one.
        return AppliedApproval(rule.rule.policy, rule.rule.path, "unasked" if standing == "denied" else standing)
    said = told.standing if standing in ("waiting", "denied") else standing
    return AppliedApproval(
        rule.rule.policy, rule.rule.path, said, told.request, told.decided_by, told.decided_at or "", waited
    )


def _short(value: str) -> str:
    """A value that a request can hold: of a long one, a digest."""
    if len(value) <= _LONGEST_VALUE:
        return value
    return f"sha256 {hashlib.sha256(value.encode(errors='surrogateescape')).hexdigest()}"
