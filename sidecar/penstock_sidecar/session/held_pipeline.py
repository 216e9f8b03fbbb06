"""The way of statements that an approval may hold: asked about before they are sent, and sent once, if at all.

The message that brings such a statement is looked at again after each step: once what was sent before it is answered,
once the server has told of settings and plan, once the holder of requests has answered. So what runs in the end is
decided by the rules of that moment, and what was approved is what was asked for. Which rules hold it is `holding.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from penstock_core.approvals.asking import Answered
from penstock_core.identity import Identity
from penstock_core.policy.holding import IN_TRANSACTION, Effects, Facts
from penstock_core.sql.decision import Action, AppliedApproval, Decision, Denial
from penstock_sidecar.session import held_questions, held_refusals, holding
from penstock_sidecar.session.approved import Approved
from penstock_sidecar.session.changes import CatalogChanges
from penstock_sidecar.session.client_pipeline import FUNCTION_CALL
from penstock_sidecar.session.commands import AskApproval, AwaitApproval
from penstock_sidecar.session.counted_pipeline import tally_of
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.holding import Asker, Held, HeldStatement, Verdicts
from penstock_sidecar.session.in_flight import Portal
from penstock_sidecar.session.pricing import Parameters
from penstock_sidecar.session.states import RUNNING, IllegalEventError, State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot
from penstock_sidecar.wire.messages import ErrorFields

# How often a client is told that its statement waits.
NOTICE_SECONDS = 15.0
_QUERY, _BIND = ord("Q"), ord("B")
# The longest text that a request can hold.
_LONGEST_TEXT = 65536


class HeldPipeline(CatalogChanges):
    """Adds to the way to the server what approvals need."""

    def __init__(self, flow: Flow, nobody: str, limit: int) -> None:
        super().__init__(flow, nobody, limit)
        self._held: HeldStatement | None = None
        # What was approved last: if its message is dealt with anew before it is sent, that is not asked for twice.
        self._released: HeldStatement | None = None
        # Who asks for approval.
        self.asker: Asker | None = None
        self._tickets = 0
        # Settings that the session may have, and that the server does not list.
        self.unlisted_settings: frozenset[str] = frozenset()
        # What the client is to read meanwhile.
        self.notice: ErrorFields | None = None

    @property
    def waits_for_holder(self) -> bool:
        """Whether a statement waits for the holder of requests."""
        return self._flow.state is State.HELD and self._held is not None and self._held.due

    @property
    def _asking(self) -> Asker | None:
        """Who asks for approval at this moment: within a context, the session for its person."""
        context = self._flow.contexts.now
        return self.asker if self.asker is None or context is None else replace(self.asker, identity=context.identity)

    # One statement.

    def _hold(self, spot: Spot, text: str, decision: Decision, portal: Portal | None = None) -> Decision | None:
        """What becomes of a statement that an approval may hold: the decision to carry out, or its refusal; None: it
        has to wait, or is answered by now.
        """
        held, self._held, self._released = self._held or self._released, None, None
        made, flow = decision.holding, self._flow
        if made is None or decision.action is Action.DENY:
            return decision
        self.unlisted_settings |= made.sets
        if not made.concerns:
            return decision
        generation = self._generation(decision)
        if held is None or not held.same(spot, text, decision, generation):
            held = HeldStatement(spot, text, decision, generation, flow.clock())
        ran = flow.sql_prepared.runs(decision, flow) if decision.executes or decision.fetches else []
        effects = holding.effects_of(decision, ran)
        facts = self._facts(held)
        found = holding.verdicts(made.rules, effects, facts)
        if found.first is None:
            return holding.noted(decision, effects, facts)
        if (denial := self._unholdable(spot, decision, found, ran, portal)) is not None:
            return _refused(decision, denial, found.notes("unasked"))
        return self._get_approved(spot, held, decision, portal, found, effects, ran or ())

    def _get_approved(
        self, spot: Spot, held: HeldStatement, decision: Decision, portal: Portal | None, found: Verdicts,
        effects: Effects, ran: Sequence[tuple[str, Decision]],
    ) -> Decision | None:  # fmt: skip
        """The same of one that is held, or may be."""
        flow = self._flow
        approved = None if held.granted else self._approved(decision, portal)
        # Nothing may have changed since. Of a name, that is not known before all that was sent is answered.
        if approved is not None and approved.sent == flow.sent and not (flow.queue and decision.fetches):
            return self._portion(spot, decision, approved, portal)
        of_before = self._of_before(spot, decision, portal, found)
        if approved is None and of_before is not None:
            return of_before
        if flow.queue:
            # Alone, so that the state of the transaction is known, and what a name stands for.
            self._pause(spot, held, messages.FLUSH)
            return None
        parameters, questions = _parameters(portal), held.questions
        if questions is None or held.asks_again:
            self._ask_server(spot, held, decision, parameters)
            return None
        if questions.failed:
            self._failed(spot, held, decision, questions.sqlstate)
            return None
        if approved is not None and approved.settings == questions.settings:
            return self._portion(spot, decision, approved, portal)
        if of_before is not None:
            return of_before
        # What is fetched in portions is approved once for all of them.
        part = "runs all of" if decision.fetches else "runs"
        sql = "\n".join([held.text, *dict.fromkeys(f"/* {part}: */ {one}" for one, _ in ran)])
        rules, generation = (*found.holding, *found.depending), self._generation(decision)
        asked = Held(rules, effects, decision, sql, questions, parameters, generation, flow.rules.hmac_key)
        answer = self._ask_holder(spot, held, asked)
        if answer is not None and answer.action is not Action.DENY and decision.holding is not None:
            settings = questions.settings or {}
            given = Approved(generation, decision.holding.rules, self._sender, settings, flow.sent)
            self._portion(spot, decision, given, portal)
            self._released = held
        return answer

    def _of_before(self, spot: Spot, decision: Decision, portal: Portal | None, found: Verdicts) -> Decision | None:
        """The refusal of what was made under other settings than an approval would be for."""
        flow, rule = self._flow, found.first
        executed = portal is not None and spot.kind != _BIND and portal.surroundings != flow.surroundings.now
        if rule is None or not (executed or flow.sql_prepared.runs_of_before(decision, flow)):
            return None
        return _refused(decision, held_refusals.of_before(rule), found.notes("unasked"))

    def _generation(self, decision: Decision) -> int:
        """By which policies it is held."""
        generation = self._flow.rules.generation
        return decision.generation if generation is None else generation

    def _approved(self, decision: Decision, portal: Portal | None) -> Approved | None:
        """How an earlier portion of it was approved, if it was for whom the session is now, by the rules of now."""
        found, made = tally_of(self._flow, decision, portal).approved, decision.holding
        if found is None or made is None:
            return None
        return found if found.covers(self._generation(decision), made.rules, self._sender) else None

    def _portion(self, spot: Spot, decision: Decision, approved: Approved, portal: Portal | None) -> Decision:
        """A portion of what was approved goes on; a Bind carries nothing out."""
        sent = self._flow.sent + (spot.kind != _BIND)
        tally_of(self._flow, decision, portal).approved = replace(approved, sent=sent)
        return decision

    @property
    def _sender(self) -> Identity | None:
        asker = self._asking
        return None if asker is None else asker.identity

    def _hold_bound(self, spot: Spot, portal: Portal) -> Decision | None:
        """What becomes of a statement that is bound. Where no transaction is open at the server, it is held now, while
        nothing of it has got there but its Parse: it has no locks, and the gate's questions are in no transaction with
        it, which some statements don't bear. Else it is held when it is executed.
        """
        flow = self._flow
        if flow.stays_in_block or not (flow.queue or self._outside):
            return portal.decision
        return self._hold(spot, portal.statement.text, portal.decision, portal)

    @property
    def _outside(self) -> bool:
        """Whether no transaction is open at the server, by what was answered."""
        flow = self._flow
        return flow.status == b"I" and not (flow.in_block or flow.unsynced or flow.unsure)

    def _facts(self, held: HeldStatement) -> Sequence[Facts]:
        """What conditions know at this moment, of each whose rights decide."""
        flow, known = self._flow, dict(held.facts())
        if not flow.queue:
            known[IN_TRANSACTION] = flow.in_block or flow.status != b"I"
        return [{**facts, **known} for facts in flow.rules.facts()]

    def _unholdable(
        self, spot: Spot, decision: Decision, found: Verdicts, ran: list[tuple[str, Decision]] | None,
        portal: Portal | None,
    ) -> Denial | None:  # fmt: skip
        """Why a statement that is held, or may be, can't be asked about."""
        rule, made = found.first, decision.holding
        if rule is None or made is None:
            return None
        if found.broken is not None:
            return held_refusals.not_to_be_told(rule, found.why)
        if made.several:
            return held_refusals.several(rule)
        if ran is None:
            return held_refusals.unknown(rule)
        if self._flow.sql_prepared.fetches_bound(decision, self._flow):
            return held_refusals.bound(rule)
        if spot.kind == FUNCTION_CALL:
            return held_refusals.fast_path(rule)
        if portal is not None and portal.given is None and portal.bound:
            return held_refusals.too_long(rule, "parameters that are longer than 8 kB together")
        return None

    def _pause(self, spot: Spot, held: HeldStatement, sent: bytes = b"") -> None:
        """Deal with that message again when what it waits for has come."""
        self._held = held
        self._stop_before(spot, State.HELD, sent)

    def _stop_before(self, spot: Spot, state: State, sent: bytes = b"") -> None:
        """Deal with that message again when what is waited for in that state has come."""
        flow = self._flow
        self._forward(spot.start)
        self._next -= 1
        if sent:
            flow.to_server.append(sent)
        flow.enter(state)
        if flow.inside and not flow.queue:
            # Nothing of this session is on its way: others need not wait for it.
            flow.inside = False
            flow.door.leave(flow)

    # The server.

    def _ask_server(self, spot: Spot, held: HeldStatement, decision: Decision, parameters: Parameters | None) -> None:
        flow, made = self._flow, decision.holding
        # EXPLAIN of an EXECUTE takes no parameters.
        plan = made is not None and made.planned and not (decision.executes and parameters is not None)
        # Where a Sync would end what the client began, there is none.
        ends = spot.kind != ord("E") and not flow.unsynced
        sent, questions, due = held_questions.asking(
            self._nobody, decision, parameters or Parameters(), plan=plan, ends=ends, more=self.unlisted_settings
        )
        questions.for_query = spot.kind == _QUERY
        if self.asker is not None:
            questions.besides = flow.surroundings.told(self.asker.hashed_nonce)
        held.questions = flow.asked = questions
        held.waited_since = False
        flow.queue.extend(due)
        self._pause(spot, held, sent)

    def _failed(self, spot: Spot, held: HeldStatement, decision: Decision, sqlstate: str) -> None:
        """The server answered a Query's questions with an error, which the client has read as the Query's."""
        flow = self._flow
        running = flow.begin(decision, held.text, "simple", None)
        running.sqlstate = sqlstate
        flow.finish(running, "error")
        self._replace(spot, b"")

    def go_on_held(self) -> None:
        """The server has answered what was sent before the statement, or asked about it. Raises as `receive`."""
        flow = self._flow
        asked, flow.asked = flow.asked, None
        flow.enter(State.RUNNING)
        if asked is not None and asked.failed and not asked.for_query:
            # A Bind: what follows it fails with it, up to the client's Sync.
            flow.skipping = True
        if flow.skipping:
            self._held = None
        self.resume()

    @property
    def waits_for_server(self) -> bool:
        """Whether it is the server that a held statement waits for."""
        return self._held is not None and not self._held.due

    # The holder of requests.

    def _ask_holder(self, spot: Spot, held: HeldStatement, asked: Held) -> Decision | None:
        """Ask whether it may run; what came of it, or None while that is not known."""
        rule, decision = asked.rules[0], asked.decision
        if held.answered is not None and not asked.asked_by(held.asking, self._asking):
            # Others hold it now, or it means something else than what was asked about.
            held.answered = None
        answered = held.answered
        if asked.too_many:
            return _refused(decision, held_refusals.too_many(rule), asked.notes("unasked", None, 0))
        if asked.questions.settings is None:
            denial = held_refusals.too_long(rule, "settings of the session that are longer than 8 kB together")
            return _refused(decision, denial, asked.notes("unasked", None, 0))
        if len(asked.sql) > _LONGEST_TEXT:
            denial = held_refusals.too_long(rule, f"a text that is longer than {_LONGEST_TEXT} characters")
            return _refused(decision, denial, asked.notes("unasked", None, 0))
        waited = self._waited(held)
        if held.cancelled:
            denial = held_refusals.cancelled(rule, answered)
            return _refused(decision, denial, asked.notes("cancelled", answered, waited))
        if held.trouble:
            denial = held_refusals.unasked(rule, held.trouble)
            return _refused(decision, denial, asked.notes("unasked", answered, waited))
        if held.due:
            self._pause(spot, held)
            return None
        if answered is None or (held.polled and answered.standing == "granted"):
            return self._send_asking(spot, held, asked)
        if answered.standing != "refused" and asked.odd(answered):
            denial = held_refusals.unasked(rule, "the holder of requests does not answer about each of its rules")
            return _refused(decision, denial, asked.notes("unasked", None, waited))
        if answered.standing == "granted":
            notes = asked.notes("granted", answered, waited)
            return replace(decision, approvals=notes, same_but_text=None)
        self._tell_of_request(held, asked, answered)
        if answered.standing == "waiting" and (left := self._time_left(spot, held, asked)) > 0:
            self._wait(spot, held, asked, left)
            return None
        denials = {
            "waiting": lambda: held_refusals.waiting(asked.parts(answered), waited / 1000 if held.waits else 0),
            "denied": lambda: held_refusals.denied(asked.parts(answered), answered),
            "refused": lambda: held_refusals.not_taken(rule, answered),
        }
        return _refused(decision, denials[answered.standing](), asked.notes(answered.standing, answered, waited))

    def _tell_of_request(self, held: HeldStatement, asked: Held, answered: Answered) -> None:
        """Put on record which requests wait, once for each time that the statement is sent."""
        evidence = self._flow.evidence
        if answered.standing == "waiting" and evidence is not None:
            for told in asked.told(answered):
                if (name := str(told["request"])) not in held.told:
                    held.told.add(name)
                    self._flow.record(evidence.request(told))

    def _send_asking(self, spot: Spot, held: HeldStatement, asked: Held) -> Decision | None:
        flow = self._flow
        asker = self._asking
        if asker is None:
            raise IllegalEventError("a statement is held before it is known who sends it")
        try:
            asking = asked.asking(asker)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            denial = held_refusals.too_long(asked.rules[0], f"its {place} as it is")
            return _refused(asked.decision, denial, asked.notes("unasked", None, 0))
        self._tickets += 1
        held.ticket, held.due, held.polled, held.asking = self._tickets, True, False, asking
        flow.commands.append(AskApproval(held.ticket, asking))
        self._pause(spot, held)
        return None

    def _time_left(self, spot: Spot, held: HeldStatement, asked: Held) -> float:
        """For how many seconds more the session waits: no longer than the rule says, and never in a transaction."""
        asker = self._asking
        if not self._outside or spot.kind not in (_QUERY, _BIND) or asker is None or not asker.may_wait:
            return 0.0
        return asked.wait - self._waited(held) / 1000 if held.waits else asked.wait

    def _wait(self, spot: Spot, held: HeldStatement, asked: Held, left: float) -> None:
        flow, answered = self._flow, held.answered
        if answered is None:
            return
        if not held.waits:
            held.waits, held.began = True, flow.clock()
        self.notice = held_refusals.notice(asked.parts(answered), left)
        self._tickets += 1
        held.ticket, held.due, held.polled, held.waited_since = self._tickets, True, True, True
        flow.commands.append(AwaitApproval(held.ticket, answered.request, min(left, NOTICE_SECONDS)))
        self._pause(spot, held)

    def _waited(self, held: HeldStatement) -> int:
        """For how many milliseconds the session has waited for somebody to decide."""
        return (self._flow.clock() - held.began) // 1000 if held.waits else 0

    def answered_by_holder(self, ticket: int, answered: Answered | None, trouble: str) -> None:
        """The holder of requests has answered, or could not be asked. Raises as `receive`."""
        held = self._held
        if held is None or held.ticket != ticket or not held.due:
            return
        held.due, held.trouble = False, trouble
        held.answered = held.answered if answered is None else holding.news(held.answered, answered)
        self._look_again()

    def stop_waiting(self) -> None:
        """The client does not want to wait any longer. Raises as `receive`."""
        if self.waits_for_holder and self._held is not None:
            self._held.cancelled, self._held.due = True, False
            self._look_again()

    def _look_again(self) -> None:
        if self._flow.state is State.HELD:
            self._flow.enter(RUNNING)
            self.resume()

    def abandon_held(self) -> None:
        """The session is over: put on record that a statement was asked about, and did not run."""
        held, self._held = self._held, None
        if held is None or not held.ticket or held.decision.holding is None:
            return
        rule = held.decision.holding.rules[0]
        denial = held_refusals.cancelled(rule, held.answered)
        told = held.answered
        note = AppliedApproval(
            rule.rule.policy, rule.rule.path, "cancelled", told.request if told else "", waited=self._waited(held)
        )
        protocol = "simple" if held.spot.kind == _QUERY else "extended"
        running = self._flow.begin(_refused(held.decision, denial, (note,)), held.text, protocol, None)
        running.denied, running.sqlstate = True, denial.sqlstate
        self._flow.finish(running, "denied")


def _parameters(portal: Portal | None) -> Parameters | None:
    """The parameters that a statement runs with, if it has any."""
    if portal is None or portal.given is None or not portal.parameters:
        return None
    return Parameters(portal.statement.oids, portal.given)


def _refused(decision: Decision, denial: Denial, notes: tuple[AppliedApproval, ...]) -> Decision:
    return replace(decision, action=Action.DENY, text="", denial=denial, approvals=notes, same_but_text=None)
