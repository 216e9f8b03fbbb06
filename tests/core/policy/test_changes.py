"""What a new bundle changes is told in words, each change once, and no secret with it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.policy.test_combine import bundle, policy

from penstock_core.policy.changes import MOST, changes, modes
from penstock_core.resources import Bundle

WEB = policy("web", allow=["select"], masks=[{"columns": ["*.*.email"], "with": {"hash": {}}}])


def web(**spec: Any) -> Any:
    return policy("web", **{"allow": ["select"], "masks": [{"columns": ["*.*.email"], "with": {"hash": {}}}], **spec})


def test_the_first_bundle_tells_what_there_is() -> None:
    first = bundle(WEB, web(mode="observe").model_copy(update={"metadata": policy("bi").metadata}))
    assert changes(None, first) == [
        "policy bi: added, in mode observe: nothing of it is carried out any more: no mask, no refusal",
        "policy web: added",
    ]
    assert modes(first) == [{"name": "web", "mode": "enforce"}, {"name": "bi", "mode": "observe"}]


def test_the_same_again_changes_nothing() -> None:
    assert changes(bundle(WEB, generation=1), bundle(web(), generation=2)) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (
            {"mode": "observe"},
            "policy web: mode was enforce, is observe: nothing of it is carried out any more: no mask, no refusal",
        ),
        ({"mode": "revoke"}, "policy web: mode was enforce, is revoke: its subjects' sessions end, and none begins"),
        ({"allow": ["select", "delete"]}, 'policy web, allow: was ["select"], is ["select", "delete"]'),
        ({"masks": []}, 'policy web, masks: was [{"columns": ["*.*.email"], "with": {"hash": {}}, "uniqueness'),
        ({"guardrails": {"maxRowsReturned": 10}}, "policy web, guardrails.maxRowsReturned: was nothing, is 10"),
        ({"audit": {"sqlText": "full"}}, 'policy web, audit.sqlText: was "normalized", is "full"'),
        (
            {"masks": [{"columns": ["*.*.mail"], "with": {"hash": {}}}]},
            'policy web, masks[0].columns[0]: was "*.*.email", is "*.*.mail"',
        ),
    ],
)
def test_each_change_is_told_where_it_is(now: dict[str, Any], told: str) -> None:
    (found,) = changes(bundle(WEB), bundle(web(**now)))
    assert found.startswith(told)


def test_what_unmasks_comes_first() -> None:
    before = bundle(policy("a", allow=["select"]), policy("z", allow=["select"]))
    after = bundle(policy("a", allow=["select", "insert"]), policy("z", allow=["select"], mode="observe"))
    assert [one.split(":")[0] for one in changes(before, after)] == ["policy z", "policy a, allow"]


def test_policies_that_come_and_go() -> None:
    assert changes(bundle(WEB), bundle(policy("bi"))) == ["policy web: removed", "policy bi: added"]


def test_a_new_key_is_told_and_is_not_in_it() -> None:
    other = bundle(WEB).model_copy(update={"mask_key": "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    (told,) = changes(bundle(WEB), other)
    assert "another" in told
    assert "AAAA" not in told


def test_long_lists_and_values_are_cut() -> None:
    many = bundle(*(policy(f"p{number}") for number in range(MOST + 20)))
    found = changes(None, many)
    assert len(found) == MOST + 1
    assert found[-1] == "and 20 more"
    long = policy("web", allowFunctions=[f"app.f{number}" for number in range(200)])
    (change,) = changes(bundle(policy("web")), bundle(long))
    assert len(change) < 300


def test_a_suspension_and_its_end_are_told_with_the_reason() -> None:
    given = bundle(WEB).model_dump(mode="json", exclude_none=True)
    given["database"]["spec"]["suspended"] = {"reason": "INC-77", "by": "ada"}
    suspended = Bundle.model_validate(given)
    assert changes(bundle(WEB), suspended) == ["database: suspended, all sessions end and none begins: INC-77 (by ada)"]
    assert changes(suspended, bundle(WEB)) == ["database: resumed, sessions may begin again"]
    assert changes(None, suspended) == ["policy web: added", "database: suspended, no session begins: INC-77 (by ada)"]
    stop = policy("stop", mode="revoke", revoked={"reason": "left"})
    assert changes(bundle(), bundle(stop)) == [
        "policy stop: added, in mode revoke: its subjects' sessions end, and none begins: left"
    ]
