"""The body of a function by its language."""

from __future__ import annotations

import pytest

from penstock_core.sql.catalog.model import Routine
from penstock_core.sql.catalog.routine_bodies import read_body


def test_defaults_of_arguments_belong_to_the_body() -> None:
    routine = Routine("app", "f", "f", "sql", "SELECT 1", defaults="app.g(1), 'x'::text")
    assert read_body(routine).functions == {("app", "g")}


def test_a_body_that_is_kept_parsed_is_read_as_the_server_prints_it() -> None:
    for parsed in ("BEGIN ATOMIC SELECT x FROM app.t; END", "RETURN (SELECT x FROM app.t)"):
        assert read_body(Routine("app", "f", "f", "sql", parsed=parsed)).reads == {("app", "t")}


@pytest.mark.parametrize("language", ["c", "internal", "plpython3u", "plperl"])
def test_other_languages_are_unknown(language: str) -> None:
    assert read_body(Routine("app", "f", "f", language)).unknown == f"it is written in {language}"


@pytest.mark.parametrize("language", ["sql", "plpgsql"])
def test_what_does_not_parse_is_unknown(language: str) -> None:
    assert read_body(Routine("app", "f", "f", language, "this is no body")).unknown


def test_an_aggregate_has_no_body_but_its_parts() -> None:
    assert read_body(Routine("app", "f", "a", "internal", parts=(("app", "g"),))).unknown == ""
