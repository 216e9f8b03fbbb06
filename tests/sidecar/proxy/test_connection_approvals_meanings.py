"""What an approved statement means: it runs as what was asked for, or not at all."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import pytest
from tests.sidecar.proxy.approvals import EITHER, Begin, Place, Sent, places, told
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import bind, errors
from tests.sidecar.proxy.raw import run as extended

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, message, parse

TEXT = "DELETE FROM held"


@pytest.fixture
async def begin(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Begin]:
    async with places(start, shop) as begin:
        yield begin


@pytest.mark.parametrize("sent", EITHER)
async def test_what_was_approved_of_a_temporary_table_is_not_of_the_table_behind_it(begin: Begin, sent: Sent) -> None:
    place: Place = await begin()
    one, other = await place.client(), await place.client()
    await one.ask("CREATE TEMP TABLE held (id int)")
    assert errors(await one.talk([(sent(TEXT), b"Z")])) == ["42501"]
    await place.holder.decide()
    assert errors(await other.talk([(sent(TEXT), b"Z")])) == ["42501"]
    assert place.left == 5
    # Of what it was asked for, it is good.
    assert errors(await one.talk([(sent(TEXT), b"Z")])) == []
    assert place.left == 5


KEPT = "DELETE FROM held WHERE note = current_setting('app.kept', true)"
READS = "    - {name: reads, when: \"'public.held' in statement.tables\", approvers: {groups: [dba]}}\n"


async def test_a_view_of_the_session_counts_like_a_table_of_its_own(begin: Begin) -> None:
    place: Place = await begin()
    one, other = await place.client(), await place.client()
    await one.ask("CREATE TEMP VIEW held AS SELECT id, note FROM app.held")
    assert errors(await one.ask(TEXT)) == ["42501"]
    await place.holder.decide()
    assert errors(await other.ask(TEXT)) == ["42501"]
    assert place.left == 5


@pytest.mark.parametrize("block", [False, True])
async def test_settings_that_change_between_bind_and_execute_are_asked_about_anew(begin: Begin, block: bool) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("SET app.kept = 'none'")
    assert errors(await client.talk([(extended(KEPT), b"Z")])) == ["42501"]
    await place.holder.decide()
    if block:
        await client.ask("BEGIN")
    changed = parse("s", "SET app.kept = 'n'") + bind("s", "s") + execute("s")
    sent = parse("", KEPT) + bind("c") + changed + execute("c") + SYNC
    assert errors(await client.talk([(sent, b"Z")])) == ["42501"]
    if block:
        await client.ask("COMMIT")
    assert place.left == 5


async def test_what_was_bound_goes_on_where_nothing_was_changed_in_between(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    assert errors(await client.talk([(extended(TEXT), b"Z")])) == ["42501"]
    await place.holder.decide()
    other = parse("s", "SELECT 1") + bind("s", "s") + execute("s")
    sent = parse("", TEXT) + bind("c") + other + execute("c") + SYNC
    assert errors(await client.talk([(sent, b"Z")])) == []
    assert place.left == 0


@pytest.mark.parametrize(
    "change", ["SET app.kept = 'n'", "SET LOCAL work_mem = '9MB'", "CREATE TEMP TABLE more (id int)"]
)
async def test_portions_of_a_cursor_are_read_under_the_settings_that_were_approved(begin: Begin, change: str) -> None:
    place: Place = await begin(more=READS)
    client = await place.client()
    await client.ask("SET app.kept = 'none'")
    declared = "DECLARE c CURSOR FOR SELECT id FROM held WHERE id = 1 OR note = current_setting('app.kept', true)"
    for _ in range(2):
        await client.ask("BEGIN")
        await client.ask(declared)
        first = errors(await client.ask("FETCH 1 FROM c"))
        if first:
            await client.ask("ROLLBACK")
            await place.holder.decide()
    assert first == []
    # Anything else may be done in between.
    assert errors(await client.ask("SELECT 1")) == errors(await client.ask("FETCH 1 FROM c")) == []
    await client.ask(change)
    assert errors(await client.ask("FETCH 9 FROM c")) == ["42501"]


async def test_what_is_fetched_from_a_portal_with_parameters_is_fetched_by_messages(begin: Begin) -> None:
    """FETCH says nothing of the values that were bound, so that an approval of some would be one of any."""
    place: Place = await begin()
    client = await place.client()
    text = "DELETE FROM held WHERE id = $1 RETURNING id"
    await client.ask("BEGIN")
    await client.talk([(parse("", text) + bind("c", "", [b"1"]) + SYNC, b"Z")])
    fields = told(await client.ask("FETCH ALL FROM c"))
    assert (fields.sqlstate, "from a portal with parameters" in fields.message) == ("42501", True)
    assert place.holder.asked == []
    await client.ask("ROLLBACK")
    await client.ask("BEGIN")
    await client.talk([(parse("", "DELETE FROM held WHERE id = 1 RETURNING id") + bind("c") + SYNC, b"Z")])
    assert errors(await client.ask("FETCH ALL FROM c")) == ["42501"]
    assert place.holder.asked[-1].statement.sql.endswith("DELETE FROM held WHERE id = 1 RETURNING id")


async def test_types_that_were_declared_are_part_of_what_is_approved(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    text = "DELETE FROM held WHERE (id + 8)::text = $1::text"
    for kind in (23, 25):
        await client.talk([(parse("s", text, struct.pack(">HI", 1, kind)) + SYNC, b"Z")])
        assert errors(await client.ask("EXECUTE s('09')")) == ["42501"]
        if kind == 23:
            await place.holder.decide()
        await client.talk([(message(b"C", b"Ss\0") + SYNC, b"Z")])
    first, second = place.holder.asked
    assert first.statement.sql == f"EXECUTE s('09')\n/* runs: */ {text}\n/* types of its parameters: 23 */"
    assert second.digest != first.digest
    assert place.left == 5


PATHS = ("public", "app")


async def test_a_cursor_is_of_the_tables_that_were_approved_whatever_the_path_was_when_it_was_made(
    begin: Begin,
) -> None:
    place: Place = await begin(
        more=READS.replace("'public.held' in", "'public.held' in statement.tables || 'app.held' in")
    )
    client = await place.client()
    for path in PATHS:
        await client.ask("BEGIN")
        await client.ask(f"SET search_path = {path}")
        await client.ask("DECLARE c CURSOR FOR SELECT id FROM held")
        await client.ask("SET search_path = app")
        assert errors(await client.ask("FETCH ALL FROM c")) == ["42501"]
        await client.ask("ROLLBACK")
        if path == "public":
            await place.holder.decide()
    assert [one.effect.tables for one in place.holder.asked] == [("app.held", "public.held"), ("app.held",)]


async def test_no_change_of_the_path_takes_a_cursor_out_of_its_rule(begin: Begin) -> None:
    place: Place = await begin(more=READS)
    client = await place.client()
    await client.ask("BEGIN")
    await client.ask("DECLARE c CURSOR FOR SELECT id FROM held")
    await client.ask("SET search_path = app")
    assert errors(await client.ask("FETCH ALL FROM c")) == ["42501"]


async def test_a_portal_is_of_the_tables_that_were_approved(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    for path in PATHS:
        await client.ask("BEGIN")
        await client.ask(f"SET search_path = {path}")
        await client.talk([(parse("", TEXT) + bind("c") + SYNC, b"Z")])
        await client.ask("SET search_path = app")
        assert errors(await client.talk([(execute("c") + SYNC, b"Z")])) == ["42501"]
        await client.ask("ROLLBACK")
        if path == "public":
            await place.holder.decide()
    assert place.left == 5


async def test_a_view_that_has_another_table_by_now_is_asked_about_anew(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    provider = place.running.proxy.rules_provider
    for table in ("app.held", "public.held"):
        await client.ask(f"CREATE OR REPLACE VIEW shown_held AS SELECT id, note FROM {table}")
        await provider.refresh_catalog()
        assert errors(await client.ask("DELETE FROM shown_held")) == ["42501"]
        if table == "app.held":
            await place.holder.decide()
    assert place.left == 5
    await client.ask("DROP VIEW shown_held")
