"""What gates and the holder of requests tell each other is whole, small enough, and told apart by its digest."""

from __future__ import annotations

import pytest
from tests.core.policy.test_access import AGENT, INCIDENT, given

from penstock_core.approvals.access_news import AskingNews, News
from penstock_core.resources.grant import Offer

ASKING = {"databaseRef": {"name": "shop"}, "namespace": "shop"}


def test_what_a_gate_says_is_read_back() -> None:
    asking = AskingNews.model_validate(ASKING | {"offers": [Offer.of(INCIDENT)], "issuers": ["https://id.example"]})
    assert AskingNews.read(asking.model_dump_json(exclude_none=True).encode()) == asking


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"databaseRef": {"name": "shop"}, "namespace": "A"}', b"\xff"])
def test_what_is_no_question_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ValueError, match=": "):
        AskingNews.read(body)


def test_news_are_the_same_whatever_their_order_and_others_are_others() -> None:
    one, two = given(), given(AGENT, request="r-2")
    assert News.of([one, two]) == News.of([two, one])
    digests = {News.of(found).digest for found in ([], [one], [two], [one, two], [given(until="2030-01-31T12:59:59Z")])}
    assert len(digests) == 5
    assert News.model_validate_json(News.of([one]).model_dump_json()) == News.of([one])
