"""An agent that starts the server itself: what it may see and do, and how a person decides in between."""

from __future__ import annotations

from tests.agents.conftest import Place

from penstock_agents.tools.results import REMARK
from penstock_agents.tools.words import ASK_AGAIN, WAIT


async def test_what_is_offered_says_what_it_does(place: Place) -> None:
    async with place.agent() as agent:
        tools = {tool.name: tool for tool in (await agent.client.list_tools()).tools}
    assert list(tools) == [
        "list_tables", "describe_table", "query", "explain", "execute", "request_status", "wait_for_approval",
    ]  # fmt: skip
    destructive = {name for name, tool in tools.items() if tool.annotations and tool.annotations.destructive_hint}
    reading = {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint}
    assert destructive == {"execute"}
    assert reading == set(tools) - {"execute"}
    assert all(tool.output_schema and tool.input_schema["additionalProperties"] is False for tool in tools.values())


async def test_tables_and_what_is_masked_of_them(place: Place) -> None:
    async with place.agent() as agent:
        tables = await agent.call("list_tables")
        assert [(one["table_schema"], one["name"], one["kind"]) for one in tables["tables"]] == [
            ("public", "customers", "table"), ("public", "names", "view"), ("public", "orders", "table"),
        ]  # fmt: skip
        assert tables["remark"] == REMARK
        told = await agent.call("describe_table", name="customers")
        email = next(one for one in told["columns"] if one["name"] == "email")
        assert (email["masked"], email["tags"]) == ("email", ["pii.email"])
        assert [one["name"] for one in told["columns"] if one["masked"] is None] == ["id", "name", "note"]
        assert told["constraints"] == ["PRIMARY KEY (id)"]
        assert told["readable"]
        nothing = await agent.call("describe_table", name="no such")
        assert nothing["failure"]["next_step"] == "Call list_tables."
        assert not told["rows_left_out"]


async def test_what_may_not_be_read_says_so(place: Place) -> None:
    place.psql("SET ROLE penstock; CREATE VIEW barred WITH (security_barrier) AS SELECT * FROM customers")
    try:
        await place.policy(rowFilters=[{"table": "public.customers", "where": "id = 1"}])
        async with place.agent() as agent:
            assert (await agent.call("describe_table", name="customers"))["rows_left_out"]
            barred = await agent.call("describe_table", name="barred")
            assert (barred["readable"], bool(barred["refused"])) == (False, True)
            await place.policy(allow=["insert"])
            assert (await agent.call("describe_table", name="customers"))["status"] == "refused"
    finally:
        place.psql("DROP VIEW barred")


async def test_rows_come_masked_and_by_their_places(place: Place) -> None:
    async with place.agent() as agent:
        told = await agent.call("query", sql="SELECT id, email, note, id AS id FROM customers ORDER BY id")
        assert [one["name"] for one in told["columns"]] == ["id", "email", "note", "id"]
        assert told["rows"] == [[1, "e***@shop.example", None, 1], [2, "f***@shop.example", "x", 2]]
        assert (told["status"], told["more"]) == ("done", False)


async def test_what_the_gate_would_do_is_told_without_running_it(place: Place) -> None:
    async with place.agent() as agent:
        told = await agent.call("explain", sql="SELECT email FROM customers")
        assert (told["decision"], told["relations"]) == ("allowed", ["public.customers"])
        assert told["masked"] == [
            {"column": "public.customers.email", "mask": "email", "rule": "masks[0] of policy support"}
        ]
        told = await agent.call("explain", sql="DELETE FROM orders")
        assert (told["decision"], told["reason"]) == ("refused", "DELETE without WHERE on public.orders")
        assert "WHERE" in told["hint"]
        told = await agent.call("explain", sql="DELETE FROM orders WHERE id = 1")
        assert told["may_be_held"] == [
            {"rule": "approvals[deletes] of policy support", "condition": "until a member of dba approves it"}
        ]
    assert place.psql("SELECT count(*) FROM orders") == "5"


async def test_a_write_is_held_until_another_person_approves_it_and_runs_once(place: Place) -> None:
    sql = "DELETE FROM orders WHERE id = 3"
    async with place.agent() as agent:
        held = await agent.call("execute", sql=sql)
        assert (held["status"], held.result.is_error) == ("held", False)
        assert held["next_step"] == held["failure"]["next_step"] == WAIT
        name = held["request"]["name"]
        assert (await agent.call("request_status", request=name))["request"]["standing"] == "waiting"
        assert place.psql("SELECT count(*) FROM orders") == "5"
        assert (await place.collector.decide(name, comment="go on")).status_code == 200
        waited = await agent.call("wait_for_approval", request=name, seconds=20)
        assert (waited["request"]["standing"], waited["request"]["decided_by"]) == ("approved", "bea")
        done = await agent.call("execute", sql=sql)
        assert (done["status"], done["rows_affected"]) == ("done", 1)
        again = await agent.call("execute", sql=sql)
        assert again["status"] == "held"
        assert again["request"]["name"] != name
    assert place.psql("SELECT count(*) FROM orders") == "4"


async def test_without_a_collector_the_agent_is_told_to_ask_again(place: Place) -> None:
    sql = "DELETE FROM orders WHERE id = 3"
    async with place.agent(collector=None) as agent:
        held = await agent.call("execute", sql=sql)
        assert (held["status"], held["next_step"]) == ("held", ASK_AGAIN)
        assert (await agent.call("execute", sql=sql))["request"]["name"] == held["request"]["name"]
        assert (await place.collector.decide(held["request"]["name"])).status_code == 200
        assert (await agent.call("execute", sql=sql))["rows_affected"] == 1
