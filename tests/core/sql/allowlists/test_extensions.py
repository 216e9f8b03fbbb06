"""Extensions on a real server: what computes is usable beside masks, what runs SQL or reads tables is not."""

from __future__ import annotations

import psycopg
import pytest
from tests.core.sql.test_governor import KEY, PLAIN, rule
from tests.core.sql.twins.world import read_catalog

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet
from penstock_core.sql.allowlists.extensions import is_trusted
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

MASKED = PolicySet(
    policies=("support",),
    allow=frozenset({"select", "insert", "update", "delete"}),
    masks=(MaskRule(("public.people.email",), Mask("redact", rule("masks[0]"))),),
)
PEOPLE = """
CREATE TABLE public.people (id int PRIMARY KEY, email text, note text, updated_at timestamptz, words tsvector);
INSERT INTO public.people VALUES (1, 'dora@example.com', 'a note');
"""
CONTRIB = """
CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_trgm; CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION unaccent; CREATE EXTENSION tablefunc; CREATE EXTENSION dblink;
CREATE EXTENSION pageinspect; CREATE EXTENSION moddatetime; CREATE EXTENSION insert_username;
CREATE TRIGGER touch BEFORE UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION moddatetime('updated_at');
CREATE TRIGGER words BEFORE UPDATE ON public.people FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('words', 'pg_catalog.simple', 'note');
CREATE TRIGGER same BEFORE UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE public.badges (id int, email text, note text, words tsvector);
CREATE TABLE public.cards (id int, email text, note text, at timestamptz);
CREATE TRIGGER words BEFORE UPDATE ON public.badges FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('words', 'pg_catalog.simple', 'email');
CREATE TRIGGER who BEFORE UPDATE ON public.cards FOR EACH ROW EXECUTE FUNCTION insert_username('email');
"""


@pytest.fixture(scope="module")
def contrib(postgres15: EmbeddedPostgres) -> str:
    postgres15.psql("CREATE DATABASE contrib")
    postgres15.psql(PEOPLE + CONTRIB, "contrib")
    return postgres15.url("contrib")


def governor(url: str, policies: PolicySet = MASKED) -> Governor:
    return Governor(EffectivePolicy("shop", policies, None, 1), read_catalog(url), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT encode(digest(email, 'sha256'), 'hex'), encode(hmac(note, 'k', 'sha1'), 'hex') FROM people",
        "SELECT crypt(email, gen_salt('bf', 4)) FROM people",
        "SELECT gen_random_uuid(), gen_random_bytes(4), pgp_sym_decrypt(pgp_sym_encrypt(email, 'k'), 'k') FROM people",
        "SELECT similarity(email, 'x'), email % 'y', show_trgm(note) FROM people",
        "SELECT email::citext = 'X', lower(email::citext) FROM people",
        "SELECT uuid_generate_v4(), uuid_generate_v5(uuid_ns_url(), email) FROM people",
        "SELECT hstore('a', email) -> 'a', 'a=>1'::hstore || 'b=>2', akeys('a=>1'::hstore) FROM people",
        "SELECT unaccent(email) FROM people",
        "UPDATE people SET note = 'other' WHERE id = 1 RETURNING note, words, email",
    ],
)
def test_what_computes_is_usable(contrib: str, text: str) -> None:
    decision = governor(contrib).decide(text, ("public",))
    assert decision.denial is None
    with psycopg.connect(contrib) as connection:
        assert b"dora" not in str(connection.execute(decision.text).fetchall()).encode()  # type: ignore[arg-type]
        connection.rollback()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT set_limit(0.5)",
        "SELECT uuid_generate_v1()",
        "SELECT * FROM crosstab('SELECT id, email, note FROM people') AS x(a int, b text)",
        "SELECT * FROM connectby('people', 'id', 'id', '1', 0) AS x(a int, b int, c int)",
        "SELECT dblink_build_sql_insert('people', '1', 1, '{1}', '{1}')",
        "SELECT * FROM dblink('dbname=x', 'SELECT 1') AS x(a int)",
        "SELECT get_raw_page('people', 0)",
        "UPDATE badges SET note = 'x' WHERE id = 1",
        "UPDATE cards SET note = 'x' WHERE id = 1",
    ],
)
def test_what_reads_by_name_or_keeps_state_is_not(contrib: str, text: str) -> None:
    masked = PolicySet(
        policies=MASKED.policies,
        allow=MASKED.allow,
        masks=(MaskRule(("public.*.email",), Mask("redact", rule("masks[0]"))),),
    )
    assert governor(contrib, masked).decide(text, ("public",)).action is Action.DENY


@pytest.mark.parametrize("text", ["SELECT get_raw_page('people', 0)", "SELECT dblink_disconnect()"])
def test_what_is_not_known_of_an_extension_takes_every_verb(contrib: str, text: str) -> None:
    assert governor(contrib, PLAIN).decide(text, ("public",)).action is Action.DENY


def test_vectors_are_usable(postgres16: EmbeddedPostgres) -> None:
    postgres16.psql("CREATE DATABASE vectors")
    postgres16.psql(
        PEOPLE + "CREATE EXTENSION vector; CREATE TABLE public.item (id int, place vector(3));"
        "INSERT INTO public.item VALUES (1, '[1,2,3]');",
        "vectors",
    )
    url = postgres16.url("vectors")
    text = (
        "SELECT i.id, place <-> '[1,1,1]', place <=> '[1,1,1]'::vector, l2_distance(place, '[0,0,0]'), avg(place),"
        " email FROM item i JOIN people p ON p.id = i.id GROUP BY i.id, place, email ORDER BY place <#> '[1,0,0]'"
    )
    decision = governor(url).decide(text, ("public",))
    assert decision.denial is None
    with psycopg.connect(url) as connection:
        (row,) = connection.execute(decision.text).fetchall()  # type: ignore[arg-type]
        assert (row[0], row[-1]) == (1, "***")


@pytest.mark.parametrize(
    "name",
    [
        "st_area", "st_distance", "st_dwithin", "st_intersects", "st_makepoint", "st_setsrid", "st_transform",
        "st_asgeojson", "st_geomfromtext", "st_x", "_st_asgml", "geometry_eq", "geography_overlaps", "box2d",
        "postgis_typmod_srid", "postgis_lib_version",
    ],
)  # fmt: skip
def test_postgis_computes_by_what_its_functions_are_called(name: str) -> None:
    assert is_trusted("postgis", name)
    assert not is_trusted("somebody_else", name)


@pytest.mark.parametrize(
    "name",
    [
        "st_estimatedextent", "st_findextent", "updategeometrysrid", "addgeometrycolumn", "dropgeometrytable",
        "find_srid", "populate_geometry_columns", "_postgis_stats", "_postgis_selectivity", "_postgis_index_extent",
        "postgis_extensions_upgrade", "lockrow", "addauth", "postgis_constraint_srid",
    ],
)  # fmt: skip
def test_postgis_reads_and_changes_tables_by_others(name: str) -> None:
    assert not is_trusted("postgis", name)
