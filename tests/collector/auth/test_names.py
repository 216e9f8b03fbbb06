"""Which names are one person's."""

from __future__ import annotations

from penstock_collector.auth.names import PersonNames


def test_names_that_meet_are_one_persons() -> None:
    names = PersonNames()
    names.learn({"00u1", "Bea@Shop.example"})
    names.learn({"bea@shop.example", "oidc:bea"})
    names.learn({"00u2", "cem@shop.example"})
    assert names.all_of({"OIDC:BEA"}) == {"oidc:bea", "bea@shop.example", "00u1"}
    assert names.all_of({"dan"}) == {"dan"}


def test_sets_for_one_question_lead_on_to_others_and_are_forgotten() -> None:
    names = PersonNames()
    names.learn({"00u1", "bea@shop.example"})
    lines = [{"bea", "bea@shop.example"}, {"bea", "deputy"}, {"ada"}]
    assert names.all_of({"00u1"}, lines) == {"00u1", "bea@shop.example", "bea", "deputy"}
    assert names.all_of({"deputy"}, lines) == {"00u1", "bea@shop.example", "bea", "deputy"}
    assert names.all_of({"00u1"}) == {"00u1", "bea@shop.example"}


def test_an_empty_name_joins_nobody() -> None:
    names = PersonNames()
    names.learn({"ada", ""})
    names.learn({"bob", ""})
    assert names.all_of({"ada"}) == {"ada"}
