"""Writing to governed tables: what stands in place of their masked columns, and what is not written at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, MASKING, reason, table, text_column

from penstock_core.policy.effective import VERBS, EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Cascade, Catalog, Condition, Constraint, Relation
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

PEOPLE = table("public", "people", "id", "email", "name", "city")
LETTERS = table("public", "letters", "id", "person", "body")
WRITING = replace(MASKING, allow=frozenset({"select", "insert", "update", "delete"}), require_where=())
GUARDED = replace(WRITING, require_where=tuple((verb, MASKING.require_where[0][1]) for verb in ("update", "delete")))
MASK = "CAST('***' AS pg_catalog.text)"


def decide(text: str, *relations: Relation, enforced: PolicySet = WRITING) -> Decision:
    given = {one.key: one for one in (PEOPLE, LETTERS, *relations)}
    catalog = Catalog(relations=given, search_path=("public",), system_functions=frozenset({"row_to_json"}))
    return Governor(EffectivePolicy("shop", enforced, None), catalog, KEY).decide(text, ("public",))


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("UPDATE people SET name = email", f"UPDATE public.people SET name = {MASK}"),
        ("DELETE FROM people p WHERE p.email = 'x'", f"DELETE FROM public.people AS p WHERE {MASK} = 'x'"),
        (
            "UPDATE people SET name = 'x' RETURNING *",
            f"UPDATE public.people SET name = 'x' RETURNING people.id, {MASK} AS email, people.name, people.city",
        ),
        (
            "INSERT INTO people (id, email) VALUES ('1', 'x') RETURNING email, name",
            f"INSERT INTO public.people (id, email) VALUES ('1', 'x') RETURNING {MASK} AS email, name",
        ),
        (
            "UPDATE people SET name = (SELECT email FROM letters WHERE person = people.id)",
            f"UPDATE public.people SET name = (SELECT {MASK} AS email FROM public.letters WHERE person = people.id)",
        ),
        (
            "DELETE FROM people RETURNING old.email, new.*",
            f"DELETE FROM public.people RETURNING {MASK} AS email, new.id, {MASK} AS email, new.name, new.city",
        ),
        (
            "MERGE INTO people USING letters l ON l.person = people.id WHEN MATCHED THEN UPDATE SET name = email"
            " WHEN NOT MATCHED THEN INSERT (id, email) VALUES (l.id, body)",
            "MERGE INTO public.people USING public.letters AS l ON l.person = people.id WHEN MATCHED THEN UPDATE SET"
            f" name = {MASK} WHEN NOT MATCHED THEN INSERT (id, email) VALUES (l.id, body)",
        ),
    ],
)
def test_a_mask_stands_where_the_column_was_read(text: str, rewritten: str) -> None:
    decision = decide(text)
    assert decision.denial is None
    assert decision.text == rewritten
    assert decision.redact_errors
    assert decision.masked == ("public.people.email",)


def test_what_masked_columns_have_no_part_in_keeps_its_words_but_not_its_errors() -> None:
    decision = decide("UPDATE people SET name = 'x' WHERE id = '1'")
    assert decision.text == "UPDATE public.people SET name = 'x' WHERE id = '1'"
    assert (decision.redact_errors, decision.masked) == (True, ())


def test_a_masked_column_is_not_overwritten() -> None:
    decision = decide("UPDATE people SET email = 'x'")
    assert reason(decision).startswith("UPDATE of public.people.email: the column is masked for you")
    upsert = "INSERT INTO people (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET email = 'x'"
    assert reason(decide(upsert)).startswith("UPDATE of public.people.email: the column is masked for you")


def test_a_name_that_may_be_masked_is_told_apart_by_its_table() -> None:
    decision = decide("UPDATE people SET name = 'x' FROM generate_series(1, 2) g WHERE email = 'x'")
    assert "column email is ambiguous" in reason(decision)
    assert decision.denial is not None
    assert decision.denial.remedy.endswith("people.email")


def test_a_row_is_not_read_as_a_whole() -> None:
    for text in ("UPDATE people SET name = people::text", "DELETE FROM people RETURNING row_to_json(people)"):
        assert "may not be read as a whole" in reason(decide(text))


@pytest.mark.parametrize(
    ("constraint", "insert", "update", "delete"),
    [
        (Constraint("p", frozenset({"id"})), True, True, True),
        (Constraint("u", frozenset({"email"})), False, True, True),
        (Constraint("u", frozenset({"name", "email"})), False, False, True),
        (Constraint("i", frozenset({"name", "email"})), False, False, True),
        (Constraint("x", frozenset({"email", "city"})), False, True, True),
        (Constraint("f", frozenset({"email"})), False, True, True),
        (Constraint("c", frozenset({"email"})), True, True, True),
        (Constraint("c", frozenset({"email", "name"})), True, False, True),
        (Constraint("c", frozenset({"email", "city"}), validated=False), True, False, True),
        (Constraint("e", frozenset({"email", "name"})), True, False, True),
        (Constraint("k", frozenset({"email", "name"})), True, False, True),
        (Constraint("k", frozenset({"name"})), True, True, True),
    ],
)
def test_constraints_that_look_at_masked_values_answer_nobody(
    constraint: Constraint, insert: bool, update: bool, delete: bool
) -> None:
    people = replace(PEOPLE, constraints=(constraint,))
    assert (decide("INSERT INTO people (id) VALUES ('1')", people).denial is None) == insert
    assert (decide("COPY people FROM STDIN", people).denial is None) == insert
    assert (decide("UPDATE people SET name = 'x'", people).denial is None) == update
    assert (decide("DELETE FROM people", people).denial is None) == delete
    upsert = "INSERT INTO people (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET name = 'x'"
    assert (decide(upsert, people).denial is None) == (insert and update)


def test_a_row_that_others_refer_to_by_masked_values_stays() -> None:
    people = replace(PEOPLE, referenced=frozenset({"email"}))
    assert "foreign keys refer to it" in reason(decide("DELETE FROM people", people))
    assert decide("DELETE FROM people", replace(PEOPLE, referenced=frozenset({"id"}))).denial is None


def test_what_a_generated_column_is_computed_from_stays() -> None:
    computed = text_column(
        "both", generated=True, derives_from=frozenset({("public", "people", name) for name in ("email", "name")})
    )
    generated = Constraint("g", frozenset({"both", "email", "name"}), name="both")
    people = replace(PEOPLE, columns=(*PEOPLE.columns, computed), constraints=(generated,))
    assert "generated column both ties name to it" in reason(decide("UPDATE people SET name = 'x'", people))
    assert decide("UPDATE people SET city = 'x'", people).denial is None


def test_a_refusal_names_the_constraint() -> None:
    bound = {
        "u": ("INSERT INTO people (id) VALUES ('1')", "with the masked values of email by unique constraint one_email"),
        "e": ("UPDATE people SET name = 'x'", "against its masked column email: index one_email ties name to it"),
        "c": ("UPDATE people SET name = 'x'", "masked column email: constraint one_email ties name to it"),
    }
    for kind, (text, words) in bound.items():
        constraint = Constraint(kind, frozenset({"name", "email"}), name="one_email")  # type: ignore[arg-type]
        assert words in reason(decide(text, replace(PEOPLE, constraints=(constraint,))))


def test_an_expression_that_depends_on_settings_is_not_evaluated_for_any_change() -> None:
    for kind in ("c", "e", "i", "k", "g"):
        constraint = Constraint(kind, frozenset({"email"}), validated=False, name="odd")  # type: ignore[arg-type]
        people = replace(PEOPLE, constraints=(constraint,))
        assert "UPDATE of public.people would evaluate" in reason(decide("UPDATE people SET city = 'x'", people))
        assert decide("DELETE FROM people", people).denial is None
        free = replace(PEOPLE, constraints=(replace(constraint, columns=frozenset({"city"})),))
        assert decide("UPDATE people SET city = 'x'", free).denial is None


def test_what_the_statement_names_is_refused_first() -> None:
    """Not what a foreign key carries its change on to, which is masked because of it."""
    letters = table("public", "letters", "id", "person", "body", constraints=(Constraint("f", frozenset({"person"})),))
    people = replace(PEOPLE, cascades=(Cascade(letters.key, frozenset({"email"}), False, True, frozenset({"person"})),))
    enforced = replace(WRITING, masks=(*WRITING.masks, replace(WRITING.masks[0], columns=("public.letters.person",))))
    assert "UPDATE of public.people.email: " in reason(
        decide("UPDATE people SET email = 'x'", people, letters, enforced=enforced)
    )


def test_what_is_reached_is_named_with_what_leads_there() -> None:
    checked = Constraint("c", frozenset({"id", "email"}), name="odd")
    diary = table("public", "diary", "id", "email", constraints=(checked,))
    people = replace(PEOPLE, cascades=(Cascade(diary.key, frozenset({"id"}), True, True, frozenset({"id"})),))
    enforced = replace(WRITING, masks=(replace(WRITING.masks[0], columns=("public.diary.email",)),))
    words = "UPDATE of public.diary (written to through public.people) would be checked against its masked column email"
    assert reason(decide("DELETE FROM people", people, diary, enforced=enforced)).startswith(words)


def test_foreign_keys_carry_on_only_what_they_follow() -> None:
    diary = table("public", "diary", "id", "email", constraints=(Constraint("c", frozenset({"id", "email"})),))
    masks = (*WRITING.masks, replace(WRITING.masks[0], columns=("public.diary.email",)))
    enforced = replace(WRITING, masks=masks)
    for on_delete, on_update, allowed in ((True, False, "UPDATE"), (False, True, "DELETE")):
        cascade = Cascade(diary.key, frozenset({"id"}), on_delete, on_update, frozenset({"id"}))
        people = replace(PEOPLE, cascades=(cascade,))
        found = {
            "DELETE": decide("DELETE FROM people", people, diary, enforced=enforced),
            "UPDATE": decide("UPDATE people SET id = '2'", people, diary, enforced=enforced),
        }
        assert [verb for verb, decision in found.items() if decision.denial is None] == [allowed]
        assert decide("UPDATE people SET name = 'x'", people, diary, enforced=enforced).denial is None
        unbound = replace(diary, constraints=(Constraint("u", frozenset({"email"})),))
        for text in ("DELETE FROM people", "UPDATE people SET id = '2'"):
            assert decide(text, people, unbound, enforced=enforced).denial is None


def test_foreign_keys_may_follow_within_a_table() -> None:
    cascade = Cascade(PEOPLE.key, frozenset({"id"}), True, True, frozenset({"city"}))
    bound = replace(PEOPLE, cascades=(cascade,), constraints=(Constraint("c", frozenset({"city", "email"})),))
    assert "UPDATE of public.people would be checked" in reason(decide("DELETE FROM people", bound))
    assert "UPDATE of public.people would be checked" in reason(decide("UPDATE people SET id = '2'", bound))
    assert decide("UPDATE people SET name = 'x'", bound).denial is None
    free = replace(bound, constraints=(Constraint("u", frozenset({"email"})), Constraint("c", frozenset({"email"}))))
    assert decide("DELETE FROM people", free).denial is None


def test_a_table_of_with_is_no_target() -> None:
    for text in ("DELETE FROM people", "UPDATE people SET name = 'x'", "INSERT INTO people (id) VALUES ('1')"):
        assert "is a CTE" in reason(decide(f"WITH people AS (SELECT '1' AS id) {text}"))
        assert decide(f"WITH people AS (SELECT '1' AS id) {text.replace('people', 'public.people')}").denial is None


def test_children_are_asked_too() -> None:
    child = table(
        "public", "kids", "id", "email", parents=(PEOPLE.key,), constraints=(Constraint("u", frozenset({"email"})),)
    )
    enforced = replace(WRITING, masks=(replace(WRITING.masks[0], columns=("public.*.email",)),))
    assert "public.kids" in reason(decide("INSERT INTO people (id) VALUES ('1')", child, enforced=enforced))


def test_views_that_show_masked_columns_are_not_written_through() -> None:
    view = replace(table("public", "mails", "id", "email"), kind="v", sources=frozenset({PEOPLE.key}))
    enforced = replace(WRITING, masks=(replace(WRITING.masks[0], columns=("public.*.email",)),))
    refusal = reason(decide("DELETE FROM mails", view, enforced=enforced))
    assert refusal == "DELETE on public.mails is refused: it shows masked columns"


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people",
        "DELETE FROM people WHERE email = email",
        "DELETE FROM people WHERE email = '***'",
        "UPDATE people SET name = 'x' WHERE email LIKE '***'",
        "UPDATE people SET name = 'x' WHERE email IS NOT NULL",
        "MERGE INTO people USING letters l ON true WHEN MATCHED THEN DELETE",
        "MERGE INTO people USING letters l ON people.email = '***' WHEN MATCHED THEN UPDATE SET name = 'x'",
        "MERGE INTO people USING letters l ON l.id = people.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "WITH d AS (DELETE FROM people WHERE email = '***') SELECT 1",
    ],
)
def test_a_choice_among_masks_that_are_all_alike_is_none(text: str) -> None:
    assert "on public.people" in reason(decide(text, enforced=GUARDED))


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people WHERE id = '1' AND email = '***'",
        "MERGE INTO people USING letters l ON l.id = people.id WHEN MATCHED THEN DELETE",
        "MERGE INTO people USING letters l ON l.id = people.id WHEN NOT MATCHED BY SOURCE AND id = '1' THEN DELETE",
        "MERGE INTO people USING letters l ON true WHEN NOT MATCHED THEN INSERT (id) VALUES (l.id)",
    ],
)
def test_a_choice_is_a_choice(text: str) -> None:
    assert decide(text, enforced=GUARDED).action is Action.REWRITE


def test_merge_does_what_its_actions_do() -> None:
    text = "MERGE INTO people USING letters l ON l.id = people.id WHEN MATCHED THEN DELETE"
    decision = decide(text)
    assert (decision.verbs, decision.writes) == (("merge",), True)
    allow = frozenset({"select", "insert", "update"})
    assert "needs the verb delete;" in reason(decide(text, enforced=replace(WRITING, allow=allow)))


def test_a_mask_is_not_put_in_place_without_end() -> None:
    text = "UPDATE people SET name = concat(" + ", ".join(["email"] * 1001) + ")"
    assert "more than 1000 times" in reason(decide(text))


@pytest.mark.parametrize(
    "text",
    [
        "MERGE INTO letters USING (SELECT 1) x ON letters.id > '0' WHEN MATCHED THEN UPDATE SET body = 'x' RETURNING *",
        "INSERT INTO letters (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET body = letters.body RETURNING *",
        "UPDATE letters SET body = body RETURNING body",
    ],
)
def test_rows_that_were_there_are_shown_to_who_may_select(text: str) -> None:
    blind = replace(WRITING, allow=WRITING.allow - {"select"})
    assert "needs the verb select;" in reason(decide(text, enforced=blind))
    assert decide(text).denial is None


def test_a_new_row_is_shown_to_who_wrote_it() -> None:
    blind = replace(WRITING, allow=frozenset({"insert"}))
    assert decide("INSERT INTO letters (id) VALUES ('1') RETURNING id", enforced=blind).denial is None


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people USING letters l WHERE l.id = '1'",
        "MERGE INTO people USING (SELECT 1 AS v) x ON x.v = 1 WHEN MATCHED THEN DELETE",
        "UPDATE people SET name = 'x' WHERE EXISTS (SELECT FROM letters WHERE person = '1')",
    ],
)
def test_what_other_tables_say_chooses_no_rows(text: str) -> None:
    assert "with a WHERE that is always true" in reason(decide(text, enforced=GUARDED))


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people USING people o WHERE o.id = people.id",
        "DELETE FROM people p USING public.people o WHERE p.id = o.id AND true",
        "UPDATE people SET name = 'x' FROM people o WHERE o.id = people.id",
        "MERGE INTO people USING people o ON o.id = people.id WHEN MATCHED THEN DELETE",
    ],
)
def test_nor_does_the_table_itself_beside_it(text: str) -> None:
    assert "with a WHERE that is always true" in reason(decide(text, enforced=GUARDED))


def test_numbers_of_sequences_are_for_who_may_insert() -> None:
    text = "SELECT nextval('people_id_seq')"
    assert (decide(text).denial, decide(text).writes) == (None, True)
    assert "needs the verb insert;" in reason(decide(text, enforced=replace(WRITING, allow=frozenset({"select"}))))


UNIQUE = Constraint("u", frozenset({"email"}), True, "people_email", frozenset({"email"}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("INSERT INTO people (id, name) VALUES ('1', 'x')", False),
        ("INSERT INTO people (id, email) VALUES ('1', NULL), ('2', DEFAULT)", False),
        ("INSERT INTO people (id) SELECT id FROM letters ON CONFLICT DO NOTHING", False),
        ("INSERT INTO people DEFAULT VALUES", False),
        ("INSERT INTO people (id, email) VALUES ('1', NULL), ('2', 'x')", True),
        ("INSERT INTO people (id, email) VALUES ('1', NULL::text)", True),
        ("INSERT INTO people (id, email) SELECT id, NULL FROM letters", True),
        ("INSERT INTO people VALUES ('1')", True),
        ("COPY people (id) FROM STDIN", False),
        ("COPY people (id, email) FROM STDIN", True),
        ("COPY people FROM STDIN", True),
    ],
)
def test_a_new_row_without_a_value_collides_with_nothing(text: str, told: bool) -> None:
    decision = decide(text, replace(PEOPLE, constraints=(UNIQUE,)))
    assert (decision.action is Action.DENY) == told
    if told:
        assert "people_email" in reason(decision)
    # Where NULLs collide, or a trigger may set a value, or a partition's rows have the defaults of the whole.
    for people in (
        replace(PEOPLE, constraints=(replace(UNIQUE, spared_without=frozenset()),)),
        replace(PEOPLE, constraints=(UNIQUE,), has_triggers=True),
    ):
        assert decide(text, people).action is Action.DENY
    part = replace(PEOPLE, name="part", parents=(PEOPLE.key,))
    assert decide(text, replace(PEOPLE, constraints=(UNIQUE,)), part).action is Action.DENY


PARTIAL = replace(UNIQUE, kind="i", spared_without=frozenset(), conditions=(Condition("name", frozenset({"open"})),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("INSERT INTO people (id, email, name) VALUES ('1', 'x', 'new'), ('2', 'y', 'old')", False),
        ("INSERT INTO people (id, email, name) VALUES ('1', 'x', 'new'), ('2', 'y', 'open')", True),
        ("INSERT INTO people (id, email, name) VALUES ('1', 'x', $1)", True),
        ("INSERT INTO people (id, email, name) VALUES ('1', 'x', lower('NEW'))", True),
        ("INSERT INTO people (id, email, name) VALUES ('1', 'x', DEFAULT)", True),
        ("INSERT INTO people (id, email, name) SELECT id, 'x', 'new' FROM letters", True),
        ("INSERT INTO people (id, email) VALUES ('1', 'x')", True),
        ("COPY people (id, email, name) FROM STDIN", True),
    ],
)
def test_a_new_row_outside_of_a_partial_index_collides_with_nothing(text: str, told: bool) -> None:
    decision = decide(text, replace(PEOPLE, constraints=(PARTIAL,)))
    assert (decision.action is Action.DENY) == told
    if told:
        assert "people_email" in reason(decision)
    # A trigger may set the value.
    assert decide(text, replace(PEOPLE, constraints=(PARTIAL,), has_triggers=True)).action is Action.DENY


def test_a_decision_that_looked_at_a_constant_is_for_that_constant() -> None:
    catalog = Catalog(relations={PEOPLE.key: replace(PEOPLE, constraints=(PARTIAL,))}, search_path=("public",))
    governor = Governor(EffectivePolicy("shop", WRITING, None), catalog, KEY)
    text = "INSERT INTO people (id, email, name) VALUES ('1', 'x', '{}')"
    denied = [governor.decide(text.format(name), ("public",)).action is Action.DENY for name in ("a", "b", "open", "c")]
    assert denied == [False, False, True, False]


RULED = replace(table("public", "ruled", "id"), has_rules=True)


@pytest.mark.parametrize("text", ["UPDATE ruled SET id = 1", "INSERT INTO ruled VALUES (1)"])
def test_where_nothing_is_masked_rules_may_do_what_the_identity_may(text: str) -> None:
    some = PolicySet(("web",), frozenset({"select", "insert", "update"}))
    denial = decide(text, RULED, enforced=some).denial
    assert denial is not None
    assert "the rules of public.ruled could do what no policy allows" in denial.reason
    assert decide(text, RULED, enforced=PolicySet(("web",), VERBS)).denial is None
    limited = PolicySet(("web",), VERBS, require_where=(("delete", Rule("web", "guardrails.requireWhere")),))
    denial = decide(text, RULED, enforced=limited).denial
    assert denial is not None
    assert (denial.policy, "could bypass a guardrail" in denial.reason) == ("web", True)
    assert decide("SELECT id FROM ruled", RULED, enforced=some).denial is None


COPIED = PolicySet(("web",), frozenset({"insert"}))
MASKED_BESIDE = MaskRule(("public.letters.body",), Mask("redact", Rule("web", "masks[0]")))


@pytest.mark.parametrize("masks", [(), (MASKED_BESIDE,)], ids=["nothing masked", "another masked"])
def test_copy_puts_rows_past_the_rules_of_a_table_but_not_of_a_view(masks: tuple[MaskRule, ...]) -> None:
    some = replace(COPIED, masks=masks)
    assert decide("COPY ruled FROM STDIN", RULED, PEOPLE, enforced=some).denial is None
    denial = decide("INSERT INTO ruled VALUES (1)", RULED, PEOPLE, enforced=some).denial
    assert denial is not None
    assert "rules" in denial.reason
    view = replace(RULED, kind="v", definition="SELECT 1 AS id")
    denial = decide("COPY ruled FROM STDIN", view, PEOPLE, enforced=some).denial
    assert denial is not None


def test_rules_of_what_a_view_passes_on_to_are_what_they_are() -> None:
    """What happens behind a view is not known to be a COPY."""
    view = replace(table("public", "shown", "id"), kind="v", sources=frozenset({RULED.key}))
    denial = decide("COPY shown FROM STDIN", view, RULED, enforced=COPIED).denial
    assert denial is not None
    assert "the rules of public.ruled" in denial.reason
