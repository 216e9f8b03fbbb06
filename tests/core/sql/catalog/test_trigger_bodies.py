"""A trigger's definition: what fires it, and what its condition looks at."""

from __future__ import annotations

from penstock_core.sql.catalog.model import Trigger
from penstock_core.sql.catalog.trigger_bodies import TriggerFacts, read_trigger


def read(definition: str) -> TriggerFacts:
    return read_trigger(Trigger(("app", "f"), f"CREATE TRIGGER t {definition} EXECUTE FUNCTION app.f('a', 'b')"))


def test_what_fires_it_and_with_what() -> None:
    facts = read("BEFORE INSERT OR UPDATE OF note ON app.t FOR EACH ROW")
    assert (facts.actions, facts.arguments) == ({"insert", "update"}, ("a", "b"))
    assert read("AFTER DELETE OR TRUNCATE ON app.t").actions == {"delete", "truncate"}
    assert read("INSTEAD OF DELETE ON app.v FOR EACH ROW").actions == {"delete"}


def test_how_often_it_is_called() -> None:
    facts = read("AFTER UPDATE OF note, n OR DELETE ON app.t FOR EACH ROW")
    assert (facts.each_row, facts.columns) == (True, {"note", "n"})
    facts = read("AFTER UPDATE ON app.t FOR EACH STATEMENT")
    assert (facts.each_row, facts.columns) == (False, frozenset())


def test_what_its_condition_looks_at() -> None:
    condition = read("BEFORE UPDATE ON app.t FOR EACH ROW WHEN ((old.a > new.b) AND app.g(1))").condition
    assert (condition.row.fields, condition.functions) == ({"a", "b"}, {("app", "g")})
    compared = read("BEFORE UPDATE ON app.t FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*))").condition.row
    assert (compared.compared, compared.whole) == (True, False)


def test_rows_as_a_table_are_told() -> None:
    assert read("AFTER UPDATE ON app.t REFERENCING NEW TABLE AS n FOR EACH STATEMENT").transitions
    assert not read("AFTER UPDATE ON app.t FOR EACH STATEMENT").transitions


def test_a_definition_that_is_not_understood_is_the_worst() -> None:
    for text in ("nonsense", "SELECT 1", "CREATE TRIGGER t"):
        facts = read_trigger(Trigger(("app", "f"), text))
        assert facts.condition.unknown
        assert facts.transitions
        assert facts.actions == {"insert", "update", "delete", "truncate"}
