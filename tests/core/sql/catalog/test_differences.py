"""What is read again, by the numbers of before and now."""

from __future__ import annotations

import json

from penstock_core.sql.catalog.differences import Difference, difference

BEFORE = {"*": "1", "10": "1", "11": "1", "t12": "1", "p13": "1", "f": "1", "n14": "public", "v": "1"}


def between(**numbers: str | None) -> Difference:
    """After these parts changed; None: is no more."""
    now = {name: number for name, number in {**BEFORE, **numbers}.items() if number is not None}
    found, there = difference(json.dumps(list(BEFORE.items())), json.dumps(list(now.items())))
    assert there == now
    return found


def test_relations_and_types_that_are_new_or_others_are_wanted_and_those_that_went_are_gone() -> None:
    found = between(**{"10": "2", "15": "1", "t12": "2", "11": None})
    assert found == Difference(wanted={"10", "15", "t12"}, gone={"11"})
    assert (found.relations(), found.types()) == (["10", "15"], ["12"])


def test_functions_and_what_uses_them_have_the_documents_about_functions_read() -> None:
    assert between(p13="2") == Difference(functions=True, called=["13"])
    assert between(p16="1") == Difference(functions=True, called=["16"])
    assert between(p13=None) == Difference(functions=True)
    assert between(f="2") == between(f=None) == Difference(functions=True)


def test_what_everything_may_depend_on_and_another_name_of_a_schema_have_all_read() -> None:
    assert between(**{"*": "2"}).whole
    assert between(n14="renamed").whole
    assert between(n15="new") == between(n14=None) == between(v="2") == between(v=None) == Difference()


def test_dependents_are_wanted_too_where_they_are_relations_or_types_of_the_databases_own() -> None:
    found = between(**{"10": "2"})
    found.add(["10", "11", "t12", "999", "f"], BEFORE)
    assert found == Difference(functions=True, wanted={"10", "11", "t12"})
    found.add(["*"], BEFORE)
    assert found.whole


def test_where_much_changed_all_is_read() -> None:
    there = {str(number): "1" for number in range(4000)}
    few = Difference()
    few.add([str(number) for number in range(1000)], there)
    assert not few.whole
    few.add(["1001"], there)
    assert few.whole
