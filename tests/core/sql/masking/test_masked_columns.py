"""Which columns policies mask, and how far that spreads."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.test_governor import table, text_column

from penstock_core.policy.effective import Mask, MaskKind, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.masking.masked_columns import govern


def mask(kind: MaskKind, policy: str = "p", path: str = "masks[0]") -> Mask:
    return Mask(kind, Rule(policy, path))


def policies(*rules: tuple[str, Mask]) -> PolicySet:
    return PolicySet(("p",), frozenset({"select"}), tuple(MaskRule((pattern,), one) for pattern, one in rules))


def catalog(*relations: Relation) -> Catalog:
    return Catalog(relations={one.key: one for one in relations})


PEOPLE = table("public", "people", "id", "email", "Odd")
SPACE = catalog(PEOPLE, table("sales", "people", "email"), table("sales", "deals", "email"))


def kinds(found: PolicySet, world: Catalog = SPACE) -> dict[str, str]:
    return {".".join(name): one.kind for name, one in govern(found, world).columns.items()}


def test_patterns_name_columns() -> None:
    assert kinds(policies(("public.people.email", mask("email")))) == {"public.people.email": "email"}
    assert kinds(policies(('public.people."Odd"', mask("null")))) == {"public.people.Odd": "null"}
    assert kinds(policies(("public.people.odd", mask("null")))) == {}
    assert kinds(policies(("*.people.email", mask("null")))) == {
        "public.people.email": "null",
        "sales.people.email": "null",
    }
    assert set(kinds(policies(("sales.*.*", mask("null"))))) == {"sales.people.email", "sales.deals.email"}
    assert len(kinds(policies(("*.*.*", mask("null"))))) == 5


def test_the_strictest_mask_wins_and_ties_go_by_name() -> None:
    both = policies(("*.*.email", mask("email", "a")), ("public.people.email", mask("partial", "b")))
    assert kinds(both)["public.people.email"] == "partial"
    tie = policies(("*.*.email", mask("hash", "b")), ("public.*.email", mask("hash", "a")))
    assert govern(tie, SPACE).columns["public", "people", "email"].rule.policy == "a"


def derived(name: str, *sources: tuple[str, str, str], copies: bool) -> Column:
    found = frozenset(sources)
    return text_column(name, derives_from=found, copies=found if copies else frozenset())


SOURCE = ("public", "people", "email")


def test_of_masks_of_one_kind_the_one_that_shows_less_wins_wherever_they_meet() -> None:
    one = Relation("public", "one", "r", (derived("pay", ("public", "two", "pay"), copies=True),))
    two = Relation("public", "two", "r", (derived("pay", ("public", "one", "pay"), copies=True),))
    narrow, wide = (Mask("bucket", Rule(name, "masks[0]"), size=size) for name, size in (("a", 10.0), ("b", 500.0)))
    both = policies(("public.one.pay", narrow), ("public.two.pay", wide))
    assert set(govern(both, catalog(one, two)).columns.values()) == {wide}
    assert govern(policies(("*.*.pay", narrow), ("*.one.pay", wide)), catalog(one)).columns == {
        ("public", "one", "pay"): wide
    }


def test_relations_that_cannot_be_read() -> None:
    found = policies(("public.people.email", mask("email")))
    filtering = Relation("public", "f", "v", (text_column("id"),), filters=frozenset({SOURCE}))
    over = Relation("public", "g", "v", (text_column("id"),), sources=frozenset({("public", "f")}))
    calling = Relation("public", "c", "v", (text_column("id"),), calls=("public.peek",))
    hazardous = Relation("public", "h", "v", (text_column("id"),), hazards=("pg_catalog.pg_stats",))
    world = catalog(PEOPLE, filtering, over, calling, hazardous)
    unreadable = govern(found, world).unreadable
    assert {name for _, name in unreadable} == {"f", "g", "c", "h"}
    assert unreadable["public", "g"] == f"it reads public.f, which can't be read either ({unreadable['public', 'f']})"
    # Where nothing is masked, nothing is hidden.
    assert govern(policies(), world).unreadable == {}


def test_a_view_that_computes_from_masked_values_unasked_cannot_be_read() -> None:
    computing = Relation("public", "e", "v", (text_column("id"),), evaluated=frozenset({SOURCE}))
    found = govern(policies(("public.people.email", mask("email"))), catalog(PEOPLE, computing)).unreadable
    assert found["public", "e"] == (
        "whatever is asked of it, it computes something from the masked column public.people.email that fails for some "
        "values"
    )


def test_where_rows_lie_depends_on_the_masked_columns_of_children_and_sources() -> None:
    parent = table("public", "beings", "id")
    grandparent = table("public", "things", "id")
    people = replace(PEOPLE, parents=(parent.key,))
    view = replace(table("public", "v", "id"), kind="v", sources=frozenset({parent.key}))
    walled = table("public", "walled", "id", sources=frozenset({PEOPLE.key}))
    sibling = table("public", "stones", "id", parents=(grandparent.key,))
    family = (replace(parent, parents=(grandparent.key,)), grandparent, people, view, walled, sibling)
    found = govern(policies(("public.people.email", mask("email"))), catalog(*family))
    assert [one.name for one in family if found.is_laid_out(one)] == ["beings", "things", "people", "v", "walled"]
    assert [one.name for one in family if found.is_laid_out(one, only=True)] == ["people", "v", "walled"]


def test_what_is_chosen_of_writing_holds_if_all_masks_of_a_column_say_so() -> None:
    strict, loose = mask("redact"), replace(mask("email"), writable=True, ignores_write_back=True)
    for rules in ((("*.*.email", strict), ("*.*.email", loose)), (("*.*.email", loose), ("*.*.email", strict))):
        (held,) = set(govern(policies(*rules), catalog(PEOPLE)).columns.values())
        assert (held.kind, held.writable, held.ignores_write_back) == ("redact", False, False)
