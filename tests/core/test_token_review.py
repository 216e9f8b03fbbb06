"""What a TokenReview proves, and for how long that is believed."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.token_review import KEPT_SECONDS, REFUSAL_KEPT_SECONDS, NoReview, Pod, Reviewed, proven, request

WEB = Pod("shop", "web", "web-1", "u-1")
EXTRA = {"authentication.kubernetes.io/pod-name": ["web-1"], "authentication.kubernetes.io/pod-uid": ["u-1"]}
GOOD: dict[str, Any] = {
    "authenticated": True,
    "audiences": ["penstock-control"],
    "user": {"username": "system:serviceaccount:shop:web", "extra": EXTRA},
}


def test_a_review_is_of_one_token_for_one_audience() -> None:
    assert request("t", "a")["spec"] == {"token": "t", "audiences": ["a"]}


def test_a_token_bound_to_a_pod_proves_it() -> None:
    assert proven({"status": GOOD}, "penstock-control") == WEB
    assert proven({"status": GOOD}, "penstock-collector") is None


@pytest.mark.parametrize(
    "change",
    [
        {"authenticated": False},
        {"authenticated": "true"},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"audiences": "penstock-control, and others"},
        {"user": None},
        {"user": {"username": "ada", "extra": EXTRA}},
        {"user": {"username": "system:serviceaccount:shop:web"}},
        {"user": {"username": "system:serviceaccount:shop", "extra": EXTRA}},
        *(
            {"user": GOOD["user"] | {"extra": EXTRA | {f"authentication.kubernetes.io/{name}": values}}}
            for name in ("pod-name", "pod-uid")
            for values in ([], [""], ["one", "two"], "text", None)
        ),
    ],
)
def test_anything_else_proves_nobody(change: dict[str, Any]) -> None:
    assert proven({"status": GOOD | change}, "penstock-control") is None


@pytest.mark.parametrize("answer", [[], None, "status", {}, {"status": 7}, {"status": []}])
def test_an_answer_that_is_no_review_is_no_verdict(answer: object) -> None:
    with pytest.raises(NoReview):
        proven(answer, "penstock-control")


def test_a_pod_is_believed_for_a_minute_and_a_refusal_for_a_moment() -> None:
    reviewed = Reviewed()
    assert reviewed.known("t", 0.0) is None
    reviewed.keep("t", WEB, 100.0)
    reviewed.keep("bad", None, 100.0)
    assert reviewed.known("t", 100.0 + KEPT_SECONDS - 1) == (WEB,)
    assert reviewed.known("t", 100.0 + KEPT_SECONDS) is None
    assert reviewed.known("bad", 100.0 + REFUSAL_KEPT_SECONDS - 1) == (None,)
    assert reviewed.known("bad", 100.0 + REFUSAL_KEPT_SECONDS) is None


def test_guesses_do_not_fill_the_memory() -> None:
    reviewed = Reviewed()
    for number in range(10_010):
        reviewed.keep(str(number), None, 0.0)
    assert reviewed.known("0", 1.0) is None
    assert reviewed.known("10009", 1.0) == (None,)
