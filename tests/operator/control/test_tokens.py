"""Bearer tokens are reviewed by the API server, and not more often than needed."""

from __future__ import annotations

import pytest
from tests.operator.doubles import GOOD_TOKEN, WEB_POD, Clock, Reviewer, token, tokens

from penstock_operator.control.tokens import Unverifiable


async def test_a_good_token_is_asked_about_once_a_minute() -> None:
    reviewer, clock = Reviewer(), Clock()
    subject = tokens(reviewer, clock)
    assert await subject.caller(GOOD_TOKEN) == WEB_POD
    assert await subject.caller(GOOD_TOKEN) == WEB_POD
    assert len(reviewer.asked) == 1
    clock.now += 61
    assert await subject.caller(GOOD_TOKEN) == WEB_POD
    assert len(reviewer.asked) == 2


async def test_a_bad_one_is_nobody_and_asked_about_again_soon() -> None:
    reviewer, clock = Reviewer(), Clock()
    subject = tokens(reviewer, clock)
    bad = token(subject="stranger")
    assert await subject.caller(bad) is None
    assert await subject.caller(bad) is None
    clock.now += 6
    assert await subject.caller(bad) is None
    assert len(reviewer.asked) == 2


@pytest.mark.parametrize(
    "given",
    ["", "x" * 20_000, "guess", "a.b.c", token("other"), token(life=-7200)],
    ids=["empty", "long", "guess", "three parts", "another audience", "expired"],
)
async def test_what_can_be_no_token_of_ours_is_not_even_asked_about(given: str) -> None:
    reviewer = Reviewer()
    assert await tokens(reviewer, Clock()).caller(given) is None
    assert reviewer.asked == []


async def test_an_outage_is_no_verdict() -> None:
    reviewer, clock = Reviewer(), Clock()
    subject = tokens(reviewer, clock)
    assert await subject.caller(GOOD_TOKEN) == WEB_POD
    reviewer.down = True
    assert await subject.caller(GOOD_TOKEN) == WEB_POD, "remembered"
    clock.now += 61
    with pytest.raises(Unverifiable, match="can't be reached"):
        await subject.caller(GOOD_TOKEN)


async def test_an_answer_that_is_no_review_is_no_verdict_either() -> None:
    reviewer = Reviewer()
    reviewer.status = 7
    with pytest.raises(Unverifiable, match="not a TokenReview"):
        await tokens(reviewer, Clock()).caller(GOOD_TOKEN)
