"""Where a name may mean two things, or a value runs code, the gate takes the worse of the two."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, reason, rule, table
from tests.core.sql.twins.world import read_catalog

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import VERBS, EffectivePolicy, PolicySet
from penstock_core.sql.allowlists.functions import FUNCTIONS, LARGE_OBJECTS
from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.catalog.pull_up import SET_RETURNING, VOLATILE
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor


def decide(
    text: str, catalog: Catalog, path: tuple[str, ...] | None = ("public",), policies: PolicySet = MASKING
) -> Decision:
    return Governor(EffectivePolicy("shop", policies, None, 7), catalog, KEY).decide(text, path)


def having(*relations: Relation) -> Catalog:
    return replace(CATALOG, relations={**CATALOG.relations, **{one.key: one for one in relations}})


@pytest.mark.parametrize(
    "other",
    [
        table("sales", "letters", "id", filters=frozenset({("public", "people", "email")})),
        table("sales", "letters", "id", has_triggers=True),
        table("sales", "letters", "id", write_calls=("public.spy",)),
    ],
)
def test_a_bare_name_is_qualified_where_another_path_would_find_what_is_not_harmless(other: Relation) -> None:
    decision = decide("SELECT body FROM letters", having(other), ("archive",))
    assert (decision.action, decision.text) == (Action.REWRITE, "SELECT body FROM archive.letters")


def test_a_bare_name_that_is_harmless_under_any_path_is_left_to_the_server() -> None:
    decision = decide("SELECT body FROM letters", having(table("sales", "letters", "id", "body")), ("archive",))
    assert decision.action is Action.ALLOW


def test_the_systems_views_come_first_where_the_path_says_so() -> None:
    catalog = replace(
        having(table("public", "user_mapping_options", "id")),
        system_columns={("information_schema", "user_mapping_options"): ("option_value",)},
    )
    assert decide("SELECT id FROM user_mapping_options", catalog, ("public", "information_schema")).denial is None
    denied = decide("SELECT id FROM user_mapping_options", catalog, ("information_schema", "public"))
    assert reason(denied) == "information_schema.user_mapping_options may not be read"


def test_where_an_extension_and_the_user_share_a_functions_name_the_users_is_meant() -> None:
    catalog = replace(CATALOG, extension_functions={"report": ("public",), "similarity": ("public",)})
    assert decide("SELECT public.similarity('a', 'b')", catalog).denial is None
    assert "report" in reason(decide("SELECT public.report('a')", catalog))


def test_a_function_that_the_user_put_among_the_systems_is_still_theirs() -> None:
    catalog = replace(CATALOG, user_functions={"lower": ("pg_catalog",)})
    assert "lower" in reason(decide("SELECT pg_catalog.lower('a')", catalog))
    assert "lower" in reason(decide("SELECT lower('a')", catalog))


@pytest.mark.parametrize("denied", ["set_config", "pg_catalog.set_config"])
def test_set_config_can_be_denied_like_any_function(denied: str) -> None:
    policies = replace(MASKING, deny_functions=((denied, rule("guardrails.denyFunctions")),))
    text = "SELECT set_config('application_name', 'x', false)"
    assert decide(text, CATALOG).denial is None
    assert reason(decide(text, CATALOG, policies=policies)) == f"function {denied} is denied"


def test_a_function_of_an_extension_is_denied_by_its_schema_too() -> None:
    policies = replace(MASKING, deny_functions=(("public.similarity", rule("guardrails.denyFunctions")),))
    catalog = replace(CATALOG, extension_functions={"similarity": ("public",)})
    assert "denied" in reason(decide("SELECT similarity('a', 'b')", catalog, policies=policies))


def test_names_are_put_in_quotes_where_the_server_folds_them_by_another_encoding() -> None:
    text = 'WITH "É" AS (SELECT body AS x FROM letters) SELECT x FROM É'
    assert decide(text, CATALOG, ("archive",)).text == text
    decision = decide(text, replace(CATALOG, utf8=False), ("archive",))
    assert decision.text == 'WITH "É" AS (SELECT body AS x FROM archive.letters) SELECT x FROM "É"'


def test_an_implicit_cast_between_the_systems_types_stops_everything(postgres: EmbeddedPostgres) -> None:
    postgres.psql("CREATE DATABASE implicit")
    postgres.psql(
        """
        CREATE TABLE public.people (id int, email text);
        CREATE FUNCTION public.spell(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM public.people';
        CREATE CAST (int AS text) WITH FUNCTION public.spell(int) AS IMPLICIT;
        """,
        "implicit",
    )
    catalog = read_catalog(postgres.url("implicit"))
    assert reason(decide("SELECT length(5)", catalog)) == (
        "the database's own cast of int4 to text runs code implicitly"
    )
    assert decide("SELECT length(5)", catalog, policies=replace(MASKING, masks=())).denial is None


def test_checks_by_an_extensions_operators_are_no_code_of_the_users() -> None:
    from penstock_core.sql.catalog.types import Types

    mail = ["mail", "public", "d", None, ["citext"], [["public", "citext"]]]
    spy = ["spy", "public", "d", None, [""], [["pg_catalog", "text"]]]
    of_spies = ["_spy", "public", "b", None, [], [["public", "spy"]]]
    citext = ["citext", "public", "b", "citext", [], None]
    types = Types({"types": [mail, spy, of_spies, citext], "casts": [], "orders": []})
    assert types.safe == {("public", "mail"), ("public", "citext")}
    assert types.coded == {("public", "spy"), ("public", "_spy")}


def test_the_functions_that_lineage_knows_are_those_of_the_server(postgres: EmbeddedPostgres) -> None:
    """Of the functions that views may call: which return sets, and which give something else each time."""
    with psycopg.connect(postgres.url()) as connection:

        def named(condition: str) -> set[str]:
            query = f"SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND {condition}"
            return {name for (name,) in connection.execute(query)}  # type: ignore[arg-type]

        assert named("proretset AND prokind = 'f'") & FUNCTIONS <= SET_RETURNING
        assert named("provolatile = 'v' AND prokind = 'f'") & FUNCTIONS <= VOLATILE


def test_what_an_older_server_reads_as_another_name_is_refused_there() -> None:
    theirs = {"user_functions": {"json_object": ("public",)}, "user_types": {"json": ("public",)}}
    newer, older = (replace(CATALOG, server_version=version, **theirs) for version in (160000, 150018))
    assert decide("SELECT json_object('{a, b}')", newer).denial is None
    assert "json_object is this database's own" in reason(decide("SELECT json_object('{a, b}')", older))
    # There it is a column, or the row of a relation of that name.
    row = 'SELECT system_user FROM pg_class AS "system_user"'
    assert decide(row, newer).denial is None
    assert reason(decide(row, older)) == "function system_user does not exist"
    assert decide("SELECT json '{}'", older).text == "SELECT CAST('{}' AS pg_catalog.\"json\")"


def test_the_information_schemas_own_domains_are_the_systems() -> None:
    assert decide("SELECT id::information_schema.cardinal_number FROM public.people", CATALOG).denial is None
    assert decide("SELECT '{a}'::information_schema._sql_identifier", CATALOG).denial is None
    assert "does not exist" in reason(decide("SELECT 1::information_schema.odd", CATALOG))


@pytest.mark.parametrize("name", sorted(LARGE_OBJECTS))
def test_large_objects_are_refused_where_columns_are_masked_and_the_refusal_says_what_to_do(name: str) -> None:
    denied = decide(f"SELECT pg_catalog.{name}(1)", CATALOG, policies=replace(MASKING, allow=VERBS)).denial
    assert denied is not None
    assert denied.reason.endswith(
        "may not be called where columns are masked: no policy can say what large objects hold"
    )
    assert denied.remedy.startswith("keep such data in a column of type bytea")
