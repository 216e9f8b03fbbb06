"""The Databases of one pod: which port each gets, how its variables begin, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_operator.inject.annotations import InjectionRequest, Refusal
from penstock_operator.inject.served import MOST, Served, served


def wanted(*databases: str, **more: Any) -> InjectionRequest:
    return InjectionRequest(databases, **more)


def test_one_database_has_the_port_that_is_asked_for_and_the_variables_as_they_are() -> None:
    assert served(wanted("shop")) == [Served("shop", 5432, "")]
    assert served(wanted("shop", ports=(6432,))) == [Served("shop", 6432, "")]


def test_the_others_get_the_next_ports_and_variables_by_their_names() -> None:
    assert served(wanted("shop", "billing", "eu.orders-2", "3rd")) == [
        Served("shop", 5432, ""),
        Served("billing", 5433, "BILLING_"),
        Served("eu.orders-2", 5434, "EU_ORDERS_2_"),
        Served("3rd", 5435, "_3RD_"),
    ]


def test_ports_that_are_not_given_come_after_the_last_one_that_is() -> None:
    found = served(wanted("shop", "billing", "staff", ports=(6000, 7000)))
    assert [one.port for one in found] == [6000, 7000, 7001]


def test_how_variables_begin_may_be_chosen() -> None:
    found = served(wanted("shop", "billing", "staff", prefixes={"billing": "LEDGER_"}))
    assert [one.prefix for one in found] == ["", "LEDGER_", "STAFF_"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (wanted("shop", "shop"), "names the Database shop twice; name it once"),
        (wanted(*(f"db{n}" for n in range(MOST + 1))), f"names 9 Databases, and a pod's gate serves {MOST}; connect"),
        (wanted("shop", ports=(5432, 5433)), "gives 2 ports to 1 Databases; give one to each"),
        (
            wanted("shop", "billing", ports=(6000, 6000)),
            "shop and billing would both get port 6000; set the annotation",
        ),
        (wanted("a", "b", "c", ports=(6001, 6000)), "a and c would both get port 6001"),
        (wanted("shop", "billing", ports=(65535,)), "there is none beyond 65535; set the annotation penstock.dev/port"),
        (
            wanted("shop", "billing", ports=(9186,)),
            "port 9187 twice, for the Database billing and the sidecar's probes",
        ),
        (wanted("shop", "a-b", "a.b"), "a-b and a.b would both begin with A_B_; set the annotation"),
        (wanted("s", "a", "b", prefixes={"a": "B_"}), "a and b would both begin with B_"),
        (wanted("shop", "billing", prefixes={"shop": "SHOP_"}), "shop is the first, whose variables have none"),
        (wanted("shop", "billing", prefixes={"staff": "S_"}), "staff is none of the pod's Databases"),
    ],
)
def test_what_clashes_is_refused_in_words(request_: InjectionRequest, words: str) -> None:
    with pytest.raises(Refusal) as refusal:
        served(request_)
    assert words in str(refusal.value)
