"""The way of a statement that asks for access: the holder of requests is asked, and the client told what came of it.

Nothing of it is sent before the answer is there. What such a text says is `access_wish.py`'s.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pydantic import ValidationError

from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.requester import requester
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.session import access_wish
from penstock_sidecar.session.access_wish import Wish
from penstock_sidecar.session.commands import AskAccess
from penstock_sidecar.session.held_pipeline import HeldPipeline
from penstock_sidecar.session.holding import HeldStatement
from penstock_sidecar.session.in_flight import Portal
from penstock_sidecar.session.states import IllegalEventError
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot


class AccessPipeline(HeldPipeline):
    """Adds to the way to the server what asks for access."""

    def _hold(self, spot: Spot, text: str, decision: Decision, portal: Portal | None = None) -> Decision | None:
        if decision.holding is not access_wish.ASKS:
            return super()._hold(spot, text, decision, portal)
        held, self._held = self._held, None
        wish = access_wish.wished(text)
        if isinstance(wish, Denial):
            return _denied(decision, wish)
        flow = self._flow
        generation = flow.rules.generation
        if held is None or not held.same(spot, text, decision, generation, flow.rules.policy):
            held = HeldStatement(spot, text, decision, generation, flow.rules.policy, flow.clock())
        if flow.queue:
            # In its order: what was sent before it is answered first.
            self._pause(spot, held, messages.FLUSH)
            return None
        if held.trouble or held.cancelled:
            return _denied(decision, access_wish.unasked(wish, held.trouble or "the client does not wait"))
        if held.due:
            self._pause(spot, held)
            return None
        answered = held.answered
        if answered is None:
            return self._ask_access(spot, held, wish)
        if answered.standing not in ("granted", "waiting"):
            return _denied(decision, access_wish.refused(wish, answered))
        flow.to_client.append(messages.notice_response(access_wish.notice(wish, answered)))
        return replace(decision, holding=None)

    def _ask_access(self, spot: Spot, held: HeldStatement, wish: Wish) -> Decision | None:
        asker = self._asking
        if asker is None:
            raise IllegalEventError("access is asked for before it is known by whom")
        try:
            asking = AskingAccess.model_validate(
                {
                    "databaseRef": {"name": asker.database},
                    "policy": wish.policy,
                    "duration": wish.duration,
                    "reason": wish.reason,
                    "breakGlass": wish.break_glass,
                    "requester": requester(asker.identity),
                    "nonce": hashlib.sha256(f"access {asker.nonce}".encode()).hexdigest(),
                }
            )
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            return _denied(held.decision, access_wish.unasked(wish, f"no request can hold its {place}"))
        self._tickets += 1
        held.ticket, held.due = self._tickets, True
        self._flow.commands.append(AskAccess(held.ticket, asking))
        self._pause(spot, held)
        return None


def _denied(decision: Decision, denial: Denial) -> Decision:
    return replace(decision, action=Action.DENY, text="", denial=denial, holding=None)
