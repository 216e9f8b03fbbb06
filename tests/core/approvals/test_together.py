"""A statement that several rules hold: a request of each, and one run once all are approved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError
from tests.core.approvals.test_asking import BEA, NOW, request
from tests.core.approvals.test_binding import ASKING, asking

from penstock_core.approvals.asking import MOST_WAITING, Answered, Asking, Make, Refuse, Tell, Use
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Decision, NotAllowedError, decided, used
from penstock_core.approvals.together import answers, together, told
from penstock_core.resources.access_request import AccessRequest

OLGA = Approver("olga", groups=frozenset({"owners"}))
PRIVACY: dict[str, Any] = {"policy": "privacy", "approval": "erasures", "policyGeneration": 3, "approvers": ["owners"]}
BOTH = asking(alsoHeldBy=[PRIVACY])
PRIVACY_PART, SUPPORT_PART = sorted(BOTH.parts(), key=lambda one: one.held_by.policy)


def waits(part: Asking) -> AccessRequest:
    return request(f"r-{part.held_by.policy}", part)


def by(who: Approver, made: AccessRequest, decision: Decision = "approved") -> AccessRequest:
    return made.model_copy(update={"status": decided(made, who, decision, "", NOW)})


def steps(known: Sequence[AccessRequest], what: Asking = BOTH) -> list[object]:
    return [step for _, step in answers(what, known, NOW)]


def test_each_rule_has_a_request_of_its_own_and_they_are_made_at_once() -> None:
    found = answers(BOTH, [], NOW)
    assert [(part.held_by.policy, part.held_by.approvers, step) for part, step in found] == [
        ("privacy", ("owners",), Make()),
        ("support", ("dba",), Make()),
    ]
    assert all(part.also_held_by is None for part, _ in found)
    assert PRIVACY_PART.digest != SUPPORT_PART.digest
    assert SUPPORT_PART.digest == asking().digest, "an approval by a rule is one by that rule, whatever else holds it"


def test_the_order_is_the_same_whoever_asks_and_however() -> None:
    turned = asking(heldBy=PRIVACY, alsoHeldBy=[ASKING["heldBy"]])
    assert [one.digest for one, _ in answers(turned, [], NOW)] == [one.digest for one, _ in answers(BOTH, [], NOW)]


def test_each_needs_somebody_of_its_own_groups() -> None:
    with pytest.raises(NotAllowedError, match="in none of the approvers' groups \\(owners\\)"):
        by(BEA, waits(PRIVACY_PART))
    with pytest.raises(NotAllowedError, match="they asked for it"):
        by(Approver("ADA", groups=frozenset({"owners"})), waits(PRIVACY_PART))


def test_nothing_is_used_before_all_are_approved() -> None:
    privacy, support = by(OLGA, waits(PRIVACY_PART)), waits(SUPPORT_PART)
    assert steps([privacy]) == [Tell(privacy), Make()]
    assert steps([privacy, support]) == [Tell(privacy), Tell(support)]
    support = by(BEA, support)
    assert steps([privacy, support]) == [Use(privacy), Use(support)]


def test_what_was_used_is_used_for_all() -> None:
    privacy, support = by(OLGA, waits(PRIVACY_PART)), by(BEA, waits(SUPPORT_PART))
    gone = privacy.model_copy(update={"status": used(privacy, NOW)})
    assert steps([gone, support]) == [Make(), Tell(support)]


def test_a_denial_by_one_is_one_of_the_statement_and_nobody_else_is_asked() -> None:
    no = by(OLGA, waits(PRIVACY_PART), "denied")
    assert steps([no]) == [Tell(no)]
    support = by(BEA, waits(SUPPORT_PART))
    assert steps([no, support]) == [Tell(no), Tell(support)]
    found = [(part, told(one, NOW)) for part, one in ((PRIVACY_PART, no), (SUPPORT_PART, support))]
    answered = together(BOTH, found)
    assert (answered.standing, answered.request, answered.decided_by) == ("denied", "r-privacy", "olga")
    assert [one.standing for one in answered.of_rules or ()] == ["denied", "approved"]


def test_one_answer_says_how_each_stands_and_grants_only_all() -> None:
    privacy, support = by(OLGA, waits(PRIVACY_PART)), waits(SUPPORT_PART)
    found = [(PRIVACY_PART, told(privacy, NOW)), (SUPPORT_PART, told(support, NOW, "https://audit.example/r"))]
    answered = together(BOTH, found)
    assert (answered.standing, answered.request) == ("waiting", "r-support")
    said = [(one.policy, one.approval, one.standing, one.request, one.decided_by) for one in answered.of_rules or ()]
    assert said == [
        ("privacy", "erasures", "approved", "r-privacy", "olga"), ("support", "deletes", "waiting", "r-support", ""),
    ]  # fmt: skip
    granted = [(part, Answered.of(one, "granted")) for part, one in ((PRIVACY_PART, privacy), (SUPPORT_PART, support))]
    whole = together(BOTH, granted)
    assert (whole.standing, [one.standing for one in whole.of_rules or ()]) == ("granted", ["granted", "granted"])
    part = together(BOTH, granted[:1])
    assert [one.standing for one in part.of_rules or ()] == ["approved"], "one of two grants nothing"
    assert together(asking(), granted[1:]) == granted[1][1], "who asks about one rule is answered as ever"


def test_where_not_all_fit_none_is_made() -> None:
    others = [
        request(f"r-{number}", asking(statement={**ASKING["statement"], "sql": f"DELETE FROM t WHERE id = {number}"}))
        for number in range(MOST_WAITING - 1)
    ]
    (refused,) = steps(others)
    assert isinstance(refused, Refuse)
    assert refused.why.startswith("19 requests of this requester wait already, and 2 more are needed")
    assert steps(others[1:]) == [Make(), Make()]
    waiting = waits(PRIVACY_PART)
    assert steps([*others[1:], waiting]) == [Tell(waiting), Make()]


def test_a_rule_is_named_once_and_not_without_end() -> None:
    again = {**ASKING["heldBy"], "approvers": ["others"]}
    with pytest.raises(ValidationError, match="a rule holds a statement once"):
        asking(alsoHeldBy=[again])
    others = [{**PRIVACY, "approval": f"a-{number}"} for number in range(16)]
    with pytest.raises(ValidationError):
        asking(alsoHeldBy=others)
    assert len(asking(alsoHeldBy=others[:15]).all_held_by) == 16
    with pytest.raises(ValueError, match="alsoHeldBy"):
        Asking.read(asking().model_dump_json(exclude={"also_held_by"})[:-1].encode() + b',"alsoHeldBy":[]}')


def test_a_question_about_one_rule_is_as_holders_from_before_read_it() -> None:
    assert "alsoHeldBy" not in asking().model_dump_json(by_alias=True, exclude_none=True)
