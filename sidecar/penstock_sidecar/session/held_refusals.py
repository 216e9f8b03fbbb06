"""What a client reads whose statement is held: that it waits, that it was denied, that nobody could be asked.

When it reads that is `held_pipeline.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_core.approvals.asking import MOST_RULES, Answered, OfRule
from penstock_core.policy.effective import ApprovalRule
from penstock_core.sql.decision import Denial
from penstock_sidecar.wire.messages import ErrorFields

# The rules that hold a statement, with how it stands with each.
Parts = Sequence[tuple[ApprovalRule, OfRule]]
CANCELLED = "57014"


def waiting(parts: Parts, waited: float) -> Denial:
    """A statement that nobody has approved so far, or not for each of the rules that hold it."""
    names, rule = _names(parts), parts[0][0]
    reason = f"the statement is held by {names} until it is approved"
    if len(parts) > 1:
        reason = f"the statement is held by {names} until it is approved for each of them"
    if waited:
        reason = f"the statement was held by {names}, and nobody decided within {waited:.0f} s"
    remedy = f"have {_lacking(parts)}, then run the same statement again"
    return held_denial(rule, reason, remedy, _requests(parts))


def denied(parts: Parts, answered: Answered) -> Denial:
    """A statement that somebody said no to."""
    rule = next((rule for rule, one in parts if one.standing == "denied"), parts[0][0])
    who = answered.decided_by or "an approver"
    reason = f"the statement is held by {_name(rule)}, and {who} denied it"
    said = f" They say: {answered.comment}" if answered.comment else ""
    return held_denial(rule, reason, "ask them, or run another statement", _request(answered) + said)


def not_taken(rule: ApprovalRule, answered: Answered) -> Denial:
    """A statement for which the holder of requests takes no request."""
    reason = f"the statement is held by {_name(rule)}, and its approval was not asked for"
    return held_denial(rule, reason, "have what waits decided first, then run it again", answered.comment)


def unasked(rule: ApprovalRule, trouble: str) -> Denial:
    """A statement that is held while nobody can be asked."""
    reason = f"the statement is held by {_name(rule)}, and its approval can't be asked for: {trouble}"
    return held_denial(rule, reason, "run it again once requests are taken; have the gate's operator look at its log")


def cancelled(rule: ApprovalRule, answered: Answered | None) -> Denial:
    """A statement whose client gave up waiting."""
    reason = f"the statement is held by {_name(rule)}, and the wait for its approval was cancelled"
    told = _request(answered) if answered is not None else ""
    remedy = "run the same statement again once it is approved"
    return held_denial(rule, reason, remedy, told, CANCELLED)


def not_to_be_told(rule: ApprovalRule, why: str) -> Denial:
    """A statement of which it can't be told whether a rule holds it."""
    reason = f"whether {_name(rule)} holds the statement can't be told: {why}"
    return held_denial(rule, reason, "have the policy's condition mended, so that it can be evaluated for everybody")


def several(rule: ApprovalRule) -> Denial:
    """A text of several statements, any of which may be held."""
    reason = f"{_name(rule)} holds a statement of this text, and several in one text can't be approved"
    return held_denial(rule, reason, "send the statements one by one")


def unknown(rule: ApprovalRule) -> Denial:
    """What runs by a name that the gate did not see being made."""
    reason = f"{_name(rule)} may hold what runs by this name, of which the gate does not know what it is"
    return held_denial(rule, reason, "prepare or declare it anew in this session, or send its statement itself")


def bound(rule: ApprovalRule) -> Denial:
    """FETCH from a portal that was bound with parameters, of which it says nothing."""
    reason = f"{_name(rule)} holds what is fetched here from a portal with parameters, which can't be approved by FETCH"
    return held_denial(rule, reason, "execute the portal by the protocol's messages, or write the values into a cursor")


def of_before(rule: ApprovalRule) -> Denial:
    """What was made when the session had other settings, of which its approval would say nothing."""
    reason = (
        f"{_name(rule)} holds what runs here, which was prepared, declared or bound before settings or temporary tables"
        " of the session changed"
    )
    return held_denial(rule, reason, "prepare, declare or bind it again, then run it")


def fast_path(rule: ApprovalRule) -> Denial:
    """A fast-path call."""
    reason = f"{_name(rule)} holds this fast-path function call, which can't be approved"
    return held_denial(rule, reason, "call the function by SELECT")


def too_long(rule: ApprovalRule, what: str) -> Denial:
    """A statement that no request can hold."""
    reason = f"the statement is held by {_name(rule)}, and no request can hold {what}"
    return held_denial(rule, reason, "send less in one statement")


def too_many(rule: ApprovalRule) -> Denial:
    """A statement that more rules hold than can be asked about."""
    reason = f"the statement is held by {_name(rule)} and by more than {MOST_RULES - 1} other rules"
    return held_denial(rule, reason, "do it in statements that fewer hold, or have the policies changed")


def notice(parts: Parts, left: float) -> ErrorFields:
    """What a client reads while its statement waits."""
    text = f"penstock: the statement is held by {_names(parts)} and waits for approval, for {left:.0f} s more"
    return ErrorFields("NOTICE", "00000", text, _requests(parts), f"have {_lacking(parts)}; cancel to stop waiting")


def held_denial(rule: ApprovalRule, reason: str, remedy: str, told: str = "", sqlstate: str = "42501") -> Denial:
    """The denial, with the rule that holds the statement."""
    return Denial(reason, remedy, rule.rule.policy, rule.rule.path, sqlstate, told=told)


def _name(rule: ApprovalRule) -> str:
    return f"{rule.rule.path} of policy {rule.rule.policy}"


def _names(parts: Parts) -> str:
    return " and by ".join(_name(rule) for rule, _ in parts)


def _lacking(parts: Parts) -> str:
    """What has to be done before it runs."""
    waits = [(rule, one) for rule, one in parts if one.standing == "waiting"]
    if len(parts) == 1:
        return f"a member of {_any_of(parts[0][0].approvers)} approve it"
    return " and ".join(f"a member of {_any_of(rule.approvers)} approve {one.request}" for rule, one in waits)


def _requests(parts: Parts) -> str:
    """Each request, and where it is decided; those that wait come first."""
    waits = [_request(one) for _, one in parts if one.standing != "approved"]
    there = [
        f"Request {one.request} was approved by {one.decided_by or 'an approver'}."
        for _, one in parts
        if one.standing == "approved"
    ]
    return " ".join((*waits, *there))


def _any_of(groups: Sequence[str]) -> str:
    return " or ".join(groups)


def _request(answered: Answered | OfRule) -> str:
    """The request, and where it is decided."""
    where = f": {answered.url}" if answered.url else ""
    until = f" It is good until {answered.expires_at}." if answered.expires_at else ""
    return f"Request {answered.request}{where}.{until}"
