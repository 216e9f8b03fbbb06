"""A gate puts on record by which policies it decides from when on."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import MASKED, Running, Start

from penstock_cli.demo.postgres import EmbeddedPostgres


async def policies(gate: Running, count: int) -> list[dict[str, Any]]:
    return await gate.settled(count, "policy")


async def test_the_switch_to_observe_is_on_record_before_the_statements_that_it_unmasks(
    start: Start, shop: EmbeddedPostgres
) -> None:
    gate = await start(shop, governed=True, more=MASKED)
    (first,) = await policies(gate, 1)
    assert gate.events()[0]["kind"] == "open"
    assert first["policies"] == [{"name": "web", "mode": "enforce"}]
    client = await gate.psycopg()
    await client.execute("SELECT * FROM things")
    await asyncio.sleep(0.01)
    gate.write_resources(host="127.0.0.1", port=shop.port, more=MASKED + "  mode: observe\n")
    _, second = await policies(gate, 2)
    assert second["formerGeneration"] == first["policyGeneration"]
    assert first["policyDigest"] != second["policyDigest"]
    assert second["changes"][0].startswith("policy web: mode was enforce, is observe: ")
    assert second["policies"] == [{"name": "web", "mode": "observe"}]
    await client.close()
    other = await gate.psycopg()
    await other.execute("SELECT * FROM things")
    await gate.settled(2)
    intents = gate.events("intent")
    assert intents[0]["policyGeneration"] == first["policyGeneration"]
    assert intents[-1]["policyGeneration"] == second["policyGeneration"]
    assert second["seq"] < intents[-1]["seq"]
    await other.close()


async def test_what_comes_again_by_the_same_number_is_told_apart(start: Start, shop: EmbeddedPostgres) -> None:
    """As where control has numbered policies before the operator did."""
    gate = await start(shop, governed=True, more=MASKED)
    provider = gate.proxy.rules_provider
    before = provider.bundle
    assert before is not None
    provider.replace_bundle(before.model_copy(update={"policies": ()}))
    provider.replace_bundle(before.model_copy(update={"generation": before.generation + 1}))
    first, second, third = await policies(gate, 3)
    assert first["policyGeneration"] == second["policyGeneration"] == second["formerGeneration"]
    assert first["policyDigest"] == third["policyDigest"] == before.digest != second["policyDigest"]


async def test_a_number_that_the_same_policies_get_later_is_on_record_with_their_digest(
    start: Start, shop: EmbeddedPostgres
) -> None:
    """As where the operator numbers what control has counted: statements are on record by the number alone."""
    gate = await start(shop, governed=True, more=MASKED)
    provider = gate.proxy.rules_provider
    before = provider.bundle
    assert before is not None
    provider.replace_bundle(before.model_copy(update={"generation": before.generation + 3}))
    provider.replace_bundle(before.model_copy(update={"generation": before.generation + 3}))
    first, second = await policies(gate, 2)
    assert second["policyGeneration"] == first["policyGeneration"] + 3
    assert (second["policyDigest"], second["changes"]) == (first["policyDigest"], [])


async def test_how_a_stream_opens_says_by_which_policies(start: Start, shop: EmbeddedPostgres) -> None:
    gate = await start(shop, governed=True, more=MASKED)
    (first,) = await policies(gate, 1)
    opened = gate.events()[0]
    assert (opened["policyGeneration"], opened["policyDigest"]) == (first["policyGeneration"], first["policyDigest"])


async def test_a_session_that_the_next_policy_can_not_be_applied_to_holds_up_no_other(
    start: Start, shop: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await start(shop, governed=True)
    clients = [await gate.psycopg() for _ in range(5)]
    for number, client in enumerate(clients):
        await client.execute(f"SET application_name = 'client {number}'")
    unlucky, *others = gate.proxy.gateway.connections

    def fails(*_: Any) -> Any:
        raise ArithmeticError("made up")

    monkeypatch.setattr(unlucky, "rules_for", fails)
    gate.write_resources(host="127.0.0.1", port=shop.port, allow="insert")
    await policies(gate, 2)
    ended: list[str] = []
    refused: list[str] = []
    for client in clients:
        try:
            await client.execute("SELECT 1")
        except psycopg.errors.AdminShutdown as error:
            ended.append(str(error))
        except psycopg.errors.InsufficientPrivilege as error:
            refused.append(str(error))
        await client.close()
    assert (len(ended), len(refused)) == (1, len(others)) == (1, 4)
    assert "could not be applied to this session; connect again" in ended[0]
