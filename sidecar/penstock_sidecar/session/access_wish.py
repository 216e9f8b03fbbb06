"""What a client asks for in SQL: `SET penstock.access = 'POLICY for 1h: reason'`, or `SET penstock.break_glass = …`.

The gate asks for it and the server sets a constant in its place. What doesn't belong: asking (`access_pipeline.py`),
and who may (`penstock_core.approvals`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock_core.approvals.asking import Answered
from penstock_core.policy.holding import Holding
from penstock_core.resources.vocabulary import DURATION, RESOURCE_NAME
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.wire.messages import ErrorFields

_SETS = frozenset({"SET", "set", "Set"})
_ASKING = re.compile(
    r"\s*set\s+(?:session\s+)?penstock\s*\.\s*(access|break_glass)\s*(?:=|\bto\b)\s*'((?:[^']|'')*)'[\s;]*",
    re.IGNORECASE,
)
_SAID = re.compile(r"\s*(\S+)\s+for\s+(\S+?)\s*:\s*(\S.*)", re.DOTALL)
# Marks what is to be asked for before it is sent.
ASKS = Holding()
# The reason may hold values, which the trail has no need of.
ASKED = Decision(Action.REWRITE, "SET penstock.access TO 'asked'", verbs=("set",), holding=ASKS,
                 audit_text="SET penstock.access TO $1")  # fmt: skip
_HOW = "write SET penstock.access = 'POLICY for 1h: what for', or penstock.break_glass in an emergency"
_LONGEST_REASON = 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    policy: str
    duration: str
    reason: str
    break_glass: bool


def decided(text: str) -> Decision | None:
    """The decision about a text that asks for access; None for any other."""
    if text[:3] not in _SETS and (not text[:1].isspace() or text.lstrip()[:3] not in _SETS):
        return None
    return ASKED if _ASKING.fullmatch(text) is not None else None


def wished(text: str) -> Wish | Denial:
    """What such a text asks for, or why that can't be told."""
    found = _ASKING.fullmatch(text)
    said = None if found is None else _SAID.fullmatch(found[2].replace("''", "'"))
    if found is None or said is None:
        return Denial("what is asked for is not told", _HOW, sqlstate="22023")
    policy, duration, reason = said.groups()
    if not re.fullmatch(RESOURCE_NAME, policy) or not re.fullmatch(DURATION, duration):
        return Denial("what is asked for is no policy's name with a duration such as 1h", _HOW, sqlstate="22023")
    if len(reason) > _LONGEST_REASON:
        return Denial(f"the reason is longer than {_LONGEST_REASON} characters", "shorten it", sqlstate="22023")
    return Wish(policy, duration, reason, found[1].lower() == "break_glass")


def refused(wish: Wish, answered: Answered) -> Denial:
    """What is not given, and why."""
    if answered.standing == "denied":
        who = answered.decided_by or "an approver"
        told = f"Request {answered.request}. They say: {answered.comment}" if answered.comment else ""
        return Denial(f"access by policy {wish.policy} was denied by {who}", "ask them", wish.policy, told=told)
    reason = f"access by policy {wish.policy} was not asked for: {answered.comment}"
    return Denial(reason, "ask for what the policy offers", wish.policy)


def unasked(wish: Wish, trouble: str) -> Denial:
    """Nobody could be asked."""
    reason = f"access by policy {wish.policy} can't be asked for: {trouble}"
    return Denial(reason, "ask again in a moment; have the gate's operator look at its log", wish.policy)


def notice(wish: Wish, answered: Answered) -> ErrorFields:
    """What a client reads whose wish was taken."""
    where = f"Request {answered.request}" + (f": {answered.url}." if answered.url else ".")
    if answered.standing == "granted":
        text = f"penstock: access by policy {wish.policy} is in effect for this identity"
        return ErrorFields("NOTICE", "00000", text, where)
    text = f"penstock: access by policy {wish.policy} waits for approval"
    hint = f"it begins by itself once somebody approves it, until {answered.expires_at} at the latest"
    return ErrorFields("NOTICE", "00000", text, where, hint)
