"""A valid policy whose conditions fail for some is told so, with what becomes of it then."""

from __future__ import annotations

from typing import Any

from penstock_core.resources import DatabaseAccessPolicy, doubts, parse


def policy(*unless: str | None, when: tuple[str, ...] = ()) -> DatabaseAccessPolicy:
    masks: list[dict[str, Any]] = [
        {"columns": ["*.*.email"], "with": {"redact": {}}, **({} if one is None else {"unless": one})} for one in unless
    ]
    approvals = [{"name": f"a{place}", "when": one, "approvers": {"groups": ["dba"]}} for place, one in enumerate(when)]
    found = parse({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "databaseRef": {"name": "shop"}, "subjects": [{"identity": {"kind": "person"}}], "masks": masks,
            "approvals": approvals,
        },
    })  # fmt: skip
    assert isinstance(found, DatabaseAccessPolicy)
    return found


def test_each_condition_that_may_fail_is_named_with_its_place() -> None:
    found = policy(
        "'dpo' in identity.groups",
        None,
        "identity.groups[3] == 'dpo'",
        when=("now == now", "1 / size(statement.verbs) > 0"),
    )
    where = "can't be evaluated where lists are empty and numbers are 0"
    assert [(one.resource, one.field, one.message) for one in doubts(found)] == [
        (
            "DatabaseAccessPolicy shop/web", "spec.masks[2].unless",
            f"{where} (Index error: index=3 size=0), and the mask applies then; test for that first",
        ),
        (
            "DatabaseAccessPolicy shop/web", "spec.approvals[1].when",
            f"{where} (divide by zero), and the statement is refused then; test for that first",
        ),
    ]  # fmt: skip


def test_what_can_not_fail_is_no_doubt() -> None:
    assert list(doubts(policy("'dpo' in identity.groups", None, when=("statement.verb == 'drop'",)))) == []
