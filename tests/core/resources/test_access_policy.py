"""The resource `DatabaseAccessPolicy`: closed unless it says otherwise, for somebody, in its own namespace."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from penstock_core.policy.effective import VERBS
from penstock_core.resources.access_policy import DatabaseAccessPolicy, Guardrails, Subject, Verb
from penstock_core.resources.database import Database

SPEC: dict[str, Any] = {"databaseRef": {"name": "shop"}, "subjects": [{"serviceAccount": {"name": "web"}}]}


def policy(namespace: str = "shop", **more: object) -> DatabaseAccessPolicy:
    return DatabaseAccessPolicy.model_validate(
        {"metadata": {"name": "web", "namespace": namespace}, "spec": {**SPEC, **more}}
    )


def test_what_is_left_out_is_the_closed_choice() -> None:
    spec = policy().spec
    assert (spec.mode, spec.allow, spec.allow_functions, spec.row_order) == ("enforce", ("select",), (), "complete")
    assert (spec.audit.sql_text, spec.audit.on_failure) == ("normalized", "block")
    assert policy(allow=[]).spec.allow == ()


def test_the_verbs_are_those_that_are_decided_by() -> None:
    assert set(get_args(Verb)) == set(VERBS)
    for wrong in (["call"], ["SELECT"], ["select", "select"], "select"):
        with pytest.raises(ValidationError):
            policy(allow=wrong)


def test_nobody_is_not_everybody() -> None:
    for wrong in (
        [],
        [{}],
        [{"identity": {}}],
        [{"identity": {"groups": []}}],
        [{"serviceAccount": {"name": "web"}, "identity": {"kind": "agent"}}],
    ):
        with pytest.raises(ValidationError):
            policy(subjects=wrong)
    with pytest.raises(ValidationError, match="an identity without any would match everybody"):
        Subject.model_validate({"identity": {}})
    assert Subject.model_validate({"identity": {"issuer": "https://id"}}).chosen() == ("identity",)


def test_it_governs_a_database_of_its_own_namespace_by_name() -> None:
    def database(name: str, namespace: str) -> Database:
        spec = {"host": "db", "dbname": "shop", "credentialsSecretRef": {"name": "s"}}
        return Database.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})

    assert policy().governs(database("shop", "shop"))
    assert not policy().governs(database("shop", "sales"))
    assert not policy().governs(database("other", "shop"))


@pytest.mark.parametrize(
    ("timeout", "taken"),
    [
        ("1ms", True),
        ("576h", True),
        ("1h30m", True),
        ("0s", False),
        ("0ms", False),
        ("577h", False),
        ("576h1ms", False),
    ],
)
def test_a_timeout_is_one_that_the_server_has(timeout: str, taken: bool) -> None:
    """To the server, 0 is none at all."""
    if taken:
        assert Guardrails.model_validate({"statementTimeout": timeout}).statement_timeout == timeout
        return
    with pytest.raises(ValidationError, match="between 1ms and 576h"):
        Guardrails.model_validate({"statementTimeout": timeout})


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxRowsReturned": -1},
        {"maxRowsReturned": 2**31},
        {"requireWhere": ["select"]},
        {"denyFunctions": ["pg_sleep()"]},
        {"denyFunctions": ["Pg_Sleep"]},
        {"denyFunctions": ["a.b.c"]},
    ],
)
def test_what_is_no_guardrail(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Guardrails.model_validate(wrong)


def test_functions_are_vouched_for_with_their_schemas_alone() -> None:
    assert policy(allowFunctions=["app.slugify"]).spec.allow_functions == ("app.slugify",)
    with pytest.raises(ValidationError):
        policy(allowFunctions=["slugify"])


@pytest.mark.parametrize("name", ["", "a" * 64, "two\nlines"])
def test_channels_have_names_as_the_server_takes_them(name: str) -> None:
    assert policy(allowChannels=["jobs", "Odd One"]).spec.allow_channels == ("jobs", "Odd One")
    with pytest.raises(ValidationError):
        policy(allowChannels=[name])


APPROVAL: dict[str, Any] = {"name": "drops", "when": "statement.verb == 'drop'", "approvers": {"groups": ["dba"]}}


def test_approvals_are_for_an_hour_and_not_waited_for_unless_told() -> None:
    (approval,) = policy(approvals=[APPROVAL]).spec.approvals or ()
    assert (approval.expires_after, approval.wait, approval.approvers.groups) == ("1h", "0s", ("dba",))
    longest = policy(approvals=[{**APPROVAL, "expiresAfter": "168h", "wait": "168h"}]).spec.approvals or ()
    assert longest[0].wait == "168h"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([APPROVAL, APPROVAL], "a name of its own"),
        ([{**APPROVAL, "when": "statement.verbs == 'drop'"}], "column 17: == can't be applied"),
        ([{**APPROVAL, "when": "statement.rows > 5"}], "statement.rows is not known"),
        ([{**APPROVAL, "when": "session.user == 'x'"}], "what the client says of itself"),
        ([{**APPROVAL, "when": "true"}], "names nothing"),
        ([{**APPROVAL, "expiresAfter": "0s"}], "between 1s and 168h"),
        ([{**APPROVAL, "expiresAfter": "169h"}], "between 1s and 168h"),
        ([{**APPROVAL, "wait": "61m"}], "wait may be as long as expiresAfter"),
        ([{**APPROVAL, "approvers": {"groups": []}}], "at least 1 item"),
    ],
)
def test_what_is_no_approval(wrong: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        policy(approvals=wrong)
