"""What runs by a name was made under the settings that its approval is for, or it does not run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.sidecar.proxy.approvals import Begin, Place, places, told
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Raw, bind, errors
from tests.sidecar.proxy.raw import run as extended

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, parse

# By one style of dates it means the second of January, by which three rows go; by the other the first of February.
DATED = "DELETE FROM dated WHERE day < '02/01/2026'"
BEFORE = "SET datestyle = 'DMY'"
AFTER = "SET datestyle = 'MDY'"
CHANGES = [
    AFTER, "SELECT set_config('datestyle', 'MDY', false)", "SET SESSION datestyle TO 'MDY'", "RESET ALL",
    "SELECT american()", "SET LOCAL datestyle = 'MDY'",
]  # fmt: skip
READS = "    - {name: reads, when: \"'public.secrets' in statement.tables\", approvers: {groups: [dba]}}\n"
VOUCHED = "  allowFunctions: [public.american]\n"


@pytest.fixture
async def begin(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Begin]:
    shop.psql(
        "SET ROLE penstock; DROP TABLE IF EXISTS dated, secrets;"
        "CREATE TABLE dated (day date); INSERT INTO dated SELECT '2026-01-01'::date + i FROM generate_series(0, 90) i;"
        "CREATE TABLE secrets (id int); INSERT INTO secrets VALUES (7);"
        "CREATE OR REPLACE FUNCTION american() RETURNS text LANGUAGE sql AS"
        " $$ SELECT pg_catalog.set_config('datestyle', 'MDY', false) $$;"
        "CREATE OR REPLACE FUNCTION known() RETURNS text LANGUAGE sql AS"
        " $$ SELECT pg_catalog.set_config('app.tenant', '7', false) $$;"
        "CREATE OR REPLACE FUNCTION unread(t text) RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE 'SET app.tenant = ' || t; END $$",
        "shop",
    )
    async with places(start, shop) as begin:
        yield begin


def left(place: Place) -> int:
    return int(place.server.psql("SELECT count(*) FROM dated", "shop").strip())


async def approved(place: Place, client: Raw, text: str) -> None:
    """What is asked about, under the settings of now, is approved."""
    assert errors(await client.ask(text)) == ["42501"]
    await place.holder.decide()


@pytest.mark.parametrize("change", CHANGES)
async def test_what_was_prepared_under_other_settings_does_not_run(begin: Begin, change: str) -> None:
    place: Place = await begin(more=VOUCHED)
    one = await place.client()
    if change.startswith("SET LOCAL"):
        await one.ask("BEGIN")
    await one.ask(BEFORE)
    await one.ask(f"PREPARE s AS {DATED}")
    await one.ask(change)
    fields = told(await one.ask("EXECUTE s"))
    assert "was prepared, declared or bound before settings" in fields.message
    assert fields.hint == "prepare, declare or bind it again, then run it"
    assert (place.holder.asked, left(place)) == ([], 91)


async def test_what_is_prepared_again_is_approved_for_what_it_means(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask(BEFORE)
    await client.ask(f"PREPARE s AS {DATED}")
    await client.ask(AFTER)
    await client.ask("DEALLOCATE s")
    await client.ask(f"PREPARE s AS {DATED}")
    await approved(place, client, "EXECUTE s")
    assert (errors(await client.ask("EXECUTE s")), left(place)) == ([], 60)


@pytest.mark.parametrize("undone", ["ROLLBACK", "COMMIT", "ROLLBACK TO a"])
async def test_settings_that_the_end_of_a_transaction_takes_back_have_changed(begin: Begin, undone: str) -> None:
    place: Place = await begin()
    client = await place.client()
    for text in ("BEGIN", "SAVEPOINT a", "SET LOCAL datestyle = 'DMY'", f"PREPARE s AS {DATED}", undone):
        assert errors(await client.ask(text)) == []
    assert errors(await client.ask("EXECUTE s")) == ["42501"]
    assert (place.holder.asked, left(place)) == ([], 91)


async def test_what_was_parsed_under_other_settings_is_parsed_again(begin: Begin) -> None:
    """Drivers prepare once and run often: what runs is what its text means by now, which is what was approved."""
    place: Place = await begin()
    client = await place.client()
    await client.ask(BEFORE)
    await client.talk([(parse("s", DATED) + SYNC, b"Z")])
    await client.ask(AFTER)
    run = bind("", "s") + execute("") + SYNC
    assert errors(await client.talk([(run, b"Z")])) == ["42501"]
    await place.holder.decide()
    assert ("DateStyle", "ISO, MDY") in [(one.name, one.value) for one in place.holder.asked[0].statement.settings]
    assert (errors(await client.talk([(run, b"Z")])), left(place)) == ([], 60)


async def test_what_was_bound_under_other_settings_does_not_run(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("BEGIN")
    await client.ask(BEFORE)
    text = "DELETE FROM dated WHERE day < $1::date"
    await client.talk([(parse("", text) + bind("c", "", [b"02/01/2026"]) + SYNC, b"Z")])
    await client.ask(AFTER)
    assert errors(await client.talk([(execute("c") + SYNC, b"Z")])) == ["42501"]
    assert (place.holder.asked, left(place)) == ([], 91)


@pytest.mark.parametrize("held", ["", " WITH HOLD"])
async def test_what_was_declared_under_other_settings_is_not_fetched(begin: Begin, held: str) -> None:
    place: Place = await begin(more=READS.replace("public.secrets", "public.dated"))
    client = await place.client()
    await client.ask(BEFORE)
    await client.ask("BEGIN")
    declared = f"DECLARE c CURSOR{held} FOR SELECT day FROM dated WHERE day < '02/01/2026'"
    if errors(await client.ask(declared)):
        await client.ask("ROLLBACK")
        await place.holder.decide()
        await client.ask("BEGIN")
        assert errors(await client.ask(declared)) == []
    await client.ask(AFTER)
    asked = len(place.holder.asked)
    assert errors(await client.ask("FETCH 1 FROM c")) == ["42501"]
    assert len(place.holder.asked) == asked


@pytest.mark.parametrize("way", ["EXECUTE", "Bind", "portal"])
async def test_a_temporary_table_hides_nothing_from_a_rule_that_runs_by_its_name(begin: Begin, way: str) -> None:
    """The server has found the table when the statement was prepared, and looks for no other."""
    place: Place = await begin(more=READS)
    client = await place.client()
    text = "SELECT id FROM secrets"
    await client.ask("CREATE TEMP TABLE first (id int)")
    if way == "portal":
        await client.ask("BEGIN")
        await client.talk([(parse("", text) + bind("c") + SYNC, b"Z")])
    elif way == "Bind":
        await client.talk([(parse("s", text) + SYNC, b"Z")])
    else:
        await client.ask(f"PREPARE s AS {text}")
    await client.ask("CREATE TEMP TABLE secrets (id int)")
    await place.running.proxy.rules_provider.refresh_catalog()
    if way == "portal":
        got = await client.talk([(execute("c") + SYNC, b"Z")])
    elif way == "Bind":
        got = await client.talk([(bind("", "s") + execute("") + SYNC, b"Z")])
    else:
        got = await client.ask("EXECUTE s")
    assert (b"D", b"7") not in [(kind, body[-1:]) for kind, body in got]
    # What was bound by a message is prepared again, and reads the session's own table by now.
    assert errors(got) == ([] if way == "Bind" else ["42501"])


async def test_what_changes_nothing_in_between_keeps_what_was_prepared(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask(f"PREPARE s AS {DATED}")
    for text in ("SELECT count(*) FROM dated", "BEGIN", "COMMIT", "SHOW datestyle", "SET search_path = public"):
        assert errors(await client.ask(text)) == []
    await approved(place, client, "EXECUTE s")
    assert errors(await client.ask("EXECUTE s")) == []


@pytest.mark.parametrize("name", ["array_nulls", "row_security"])
async def test_what_the_gate_has_set_counts_where_the_session_sets_it(begin: Begin, name: str) -> None:
    place: Place = await begin()
    client = await place.client()
    assert errors(await client.talk([(extended(DATED), b"Z")])) == ["42501"]
    await client.ask(f"SET {name} = off")
    assert errors(await client.talk([(extended(DATED), b"Z")])) == ["42501"]
    before, after = ({one.name: one.value for one in asked.statement.settings} for asked in place.holder.asked)
    assert (name in before, after.get(name)) == (False, "off")


async def test_settings_of_the_database_and_of_the_login_count(begin: Begin) -> None:
    place: Place = await begin()
    for change, named in (("DATABASE shop", "DateStyle"), ("ROLE penstock", "work_mem")):
        setting = "datestyle = 'DMY'" if named == "DateStyle" else "work_mem = '9MB'"
        place.server.psql(f"ALTER {change} SET {setting}", "shop")
        try:
            assert errors(await (await place.client()).ask(DATED)) == ["42501"]
        finally:
            place.server.psql(f"ALTER {change} RESET ALL", "shop")
        assert named in {one.name for one in place.holder.asked[-1].statement.settings}


TENANTS = "DELETE FROM dated WHERE current_setting('app.tenant', true) = '7'"
UNREAD = "  allowFunctions: [public.unread]\n"


def settings_of(place: Place, question: int) -> dict[str, str]:
    return {one.name: one.value for one in place.holder.asked[question].statement.settings}


async def test_a_setting_that_a_function_is_known_to_set_counts(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await approved(place, client, TENANTS)
    assert errors(await client.ask("SELECT known()")) == []
    assert errors(await client.ask(TENANTS)) == ["42501"]
    assert [settings_of(place, one).get("app.tenant") for one in (0, 1)] == [None, "7"]
    assert left(place) == 91


async def test_what_code_may_have_set_that_nobody_read_is_this_sessions_alone(begin: Begin) -> None:
    way, place = "SELECT unread('7')", await begin(more=UNREAD)
    one, other = await place.client(), await place.client()
    await approved(place, one, TENANTS)
    assert errors(await other.ask(way)) == []
    assert errors(await other.ask(TENANTS)) == ["42501"]
    assert settings_of(place, 1)["settings by code of the database's own"].startswith("not known: those of session ")
    assert left(place) == 91
    # What is approved of it is good there, and for as long as no more of such code has run.
    await place.holder.decide()
    assert errors(await other.ask(way)) == []
    assert errors(await other.ask(TENANTS)) == ["42501"]
    await place.holder.decide()
    assert (errors(await other.ask(TENANTS)), left(place)) == ([], 0)
    # All is set back.
    await other.ask("DISCARD ALL")
    assert errors(await other.ask(TENANTS)) == []
    assert errors(await one.ask(TENANTS)) == ["42501"]
