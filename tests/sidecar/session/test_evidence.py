"""The bodies of a session's events, where several statements share a decision."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

from penstock_core.identity import Identity, Workload
from penstock_core.sql.decision import Action, AppliedCondition, Decision
from penstock_sidecar.session.evidence import Evidence

KEY = b"k" * 32
FIRST = Decision(Action.REWRITE, "SELECT 1 AS a", verbs=("select",), audit_text="SELECT $1 AS a", generation=3)


def evidence() -> Evidence:
    return Evidence("s1", "shop", Identity(Workload("shop", "web")), {"address": "127.0.0.1:1"}, KEY)


def sealed(text: str) -> str:
    return hmac.digest(KEY, text.encode(), "sha256").hex()


def test_an_intent_tells_its_own_text_whatever_decision_it_shares() -> None:
    one = evidence()
    texts = [f"SELECT {number} AS a" for number in (0, 1, 1, 0, 2)]
    decisions = [FIRST, *(replace(FIRST, text=text, same_but_text=FIRST) for text in texts[1:])]
    told: list[dict[str, Any]] = [
        dict(one.intent(decision, text, number, "simple", None))
        for number, (decision, text) in enumerate(zip(decisions, texts, strict=True))
    ]
    assert [body["sqlHmac"] for body in told] == [sealed(text) for text in texts]
    assert [body["statement"] for body in told] == [0, 1, 2, 3, 4]
    assert all(body["sql"] == "SELECT $1 AS a" and body["policyGeneration"] == 3 for body in told)
    # What they share is made once.
    assert len(one._intents) == 1


def test_other_decisions_protocols_and_parameters_are_told_apart() -> None:
    one = evidence()
    other = Decision(Action.ALLOW, "SELECT 2", verbs=("select",))
    bodies = [
        one.intent(FIRST, "a", 1, "simple", None),
        one.intent(other, "a", 2, "simple", None),
        one.intent(FIRST, "a", 3, "extended", None),
        one.intent(FIRST, "a", 4, "extended", 2),
    ]
    assert [(body["decision"], body["protocol"], body.get("parameters")) for body in bodies] == [
        ("rewrite", "simple", None), ("allow", "simple", None), ("rewrite", "extended", None),
        ("rewrite", "extended", 2),
    ]  # fmt: skip


def test_an_intent_tells_what_conditions_came_to() -> None:
    told = [
        AppliedCondition("p", f"masks[{place}].unless", "now == now", place == 0, ("public.t.c",)) for place in (0, 1)
    ]
    body = evidence().intent(replace(FIRST, conditions=tuple(told)), "a", 1, "simple", None)
    assert body["unless"] == [
        {
            "policy": "p", "rule": f"masks[{place}].unless", "condition": "now == now", "result": result,
            "columns": ["public.t.c"],
        }
        for place, result in enumerate(("lifted", "failed"))
    ]  # fmt: skip
    assert "unless" not in evidence().intent(FIRST, "a", 1, "simple", None)
