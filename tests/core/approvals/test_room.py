"""One person's requests, or one agent's, leave room for those of all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from penstock_core.approvals.room import MOST_OF_A_PERSON, MOST_OF_AN_AGENT, parties
from penstock_core.approvals.room import no_room as no_room_beside
from penstock_core.resources.access_request import Requester, RequestingPrincipal

ISSUER = "https://id.example"


def no_room(
    requester: Requester, others: Iterable[Requester], more: int, what: Literal["waiting", "undecided"] = "waiting"
) -> str:
    return no_room_beside(requester, [parties(one) for one in others], more, what)


def of(kind: str, subject: str, issuer: str = ISSUER, groups: tuple[str, ...] = ()) -> RequestingPrincipal:
    return RequestingPrincipal.model_validate({"kind": kind, "subject": subject, "issuer": issuer, "groups": groups})


def person(subject: str = "ada", groups: tuple[str, ...] = ()) -> Requester:
    return Requester(principal=of("person", subject, groups=groups))


def agent(subject: str, *acts_for: str) -> Requester:
    people = tuple(of("person", one) for one in acts_for)
    return Requester.model_validate({"principal": of("agent", subject), "actsFor": people})


def test_ten_thousand_of_one_person_leave_others_their_place() -> None:
    flood = [person(groups=(f"g{number}",)) for number in range(10_000)]
    assert no_room(person(), flood, 1) == (
        "10000 requests that person ada has a part in wait already; have some decided first"
    )
    assert no_room(person("dan"), flood, 1) == ""
    assert no_room(agent("bot", "dan"), flood, 1) == ""
    assert "person ada" in no_room(agent("bot", "ada"), flood, 1)


def test_ten_thousand_of_one_agent_leave_people_and_other_agents_theirs() -> None:
    flood = [agent("bot", f"person-{number}") for number in range(10_000)]
    assert "10000 requests that agent bot has a part in" in no_room(agent("bot", "ada"), flood, 1)
    for other in (agent("other", "ada"), person("person-7"), agent("other", "person-7")):
        assert no_room(other, flood, 1) == ""


def test_agents_of_one_person_count_together_and_one_of_them_leaves_her_own_place() -> None:
    flood = [agent(f"bot-{number}", "ada") for number in range(MOST_OF_A_PERSON)]
    assert "person ada" in no_room(person(), flood, 1)
    assert no_room(person(), flood[:20], 20) == ""


def test_the_last_place_is_given_and_no_more_than_there_are() -> None:
    there = [person()] * (MOST_OF_A_PERSON - 2)
    assert (no_room(person(), there, 2), no_room(person(), there, 3) != "") == ("", True)
    of_bot = [agent("bot")] * (MOST_OF_AN_AGENT - 1)
    assert (no_room(agent("bot"), of_bot, 1), no_room(agent("bot"), of_bot, 2) != "") == ("", True)


def test_what_is_over_counts_less() -> None:
    there = [person()] * MOST_OF_A_PERSON
    assert no_room(person(), there, 1, "undecided") == ""
    assert "were not decided of late; ask in an hour" in no_room(person(), there * 3, 1, "undecided")


def test_a_name_of_another_issuer_or_kind_is_another() -> None:
    there = [person()] * MOST_OF_A_PERSON
    assert no_room(Requester(principal=of("person", "ada", "https://other.example")), there, 1) == ""
    assert no_room(Requester(principal=of("service", "ada")), there, 1) == ""


def test_who_stands_twice_in_one_request_counts_once() -> None:
    twice = Requester.model_validate({"principal": of("person", "ada"), "actsFor": (of("person", "ada"),)})
    assert no_room(person(), [twice] * (MOST_OF_A_PERSON - 1), 1) == ""
