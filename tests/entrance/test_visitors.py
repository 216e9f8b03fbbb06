"""Who makes way for whom."""

from __future__ import annotations

from penstock_entrance.visitors import Visitors


class Caller:
    def __init__(self) -> None:
        self.gone = False

    def make_way(self) -> None:
        self.gone = True


def arrive(visitors: Visitors, count: int, name: str = "") -> list[Caller]:
    callers = [Caller() for _ in range(count)]
    for caller in callers:
        visitors.arrived(caller)
        if name:
            visitors.known(caller, name)
    return callers


async def test_the_oldest_stranger_makes_way_and_nobody_who_is_known() -> None:
    visitors = Visitors(strangers=3, most=100)
    (gate,) = arrive(visitors, 1, "gate")
    first, *others = arrive(visitors, 4)
    assert first.gone
    assert [one.gone for one in (gate, *others)] == [False] * 4
    assert len(visitors) == 4


async def test_who_is_known_makes_way_for_his_own_connections_alone() -> None:
    visitors = Visitors(of_one=3, most=100)
    (gate,) = arrive(visitors, 1, "gate")
    oldest, *others = arrive(visitors, 5, "greedy")
    assert oldest.gone
    assert [one.gone for one in others] == [True, False, False, False]
    assert not gate.gone


async def test_where_there_is_no_more_room_at_all_who_has_most_makes_way() -> None:
    visitors = Visitors(strangers=50, of_one=8, most=20)
    (gate,) = arrive(visitors, 1, "gate")
    greedy = [one for number in range(4) for one in arrive(visitors, 8, f"greedy {number}")]
    arrive(visitors, 30)
    assert len(visitors) == 20
    assert any(one.gone for one in greedy)
    assert not gate.gone


async def test_behind_a_proxy_a_connection_is_another_s_at_each_request() -> None:
    visitors = Visitors(of_one=1, most=10)
    (proxy,) = arrive(visitors, 1, "ada")
    for _ in range(3):
        visitors.known(proxy, "bea")
        visitors.known(proxy, "ada")
    assert (len(visitors), proxy.gone) == (1, False)
    visitors.left(proxy)
    visitors.left(proxy)
    # What ended meanwhile is not counted again.
    visitors.known(proxy, "ada")
    assert len(visitors) == 0
