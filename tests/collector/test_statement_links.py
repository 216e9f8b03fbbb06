"""The page of a statement says why columns were masked, how its transaction ended, and what made what it ran."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_collector.statement_links import Transaction

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
INTENT = {
    "kind": "intent", "session": "s1", "statement": 1, "identity": {"name": "sa:shop/web"}, "database": "shop",
    "decision": "allow", "verbs": ["delete"], "relations": ["public.orders"], "sql": "DELETE FROM orders",
}  # fmt: skip
OUTCOME = {"kind": "outcome", "session": "s1", "statement": 1, "result": "ok", "rows": 1}


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (None, "2"),
        ({"result": "commit"}, "2, committed"),
        ({"result": "rollback", "sqlstate": "23503"}, "2, rolled back (23503)"),
        ({"result": "prepared"}, "2, prepared"),
        ({"result": "unknown"}, "2, end unknown"),
    ],
)
async def test_how_the_transaction_ended(client: Any, sender: Any, end: dict[str, str] | None, words: str) -> None:
    ended = [] if end is None else [{"kind": "transaction", "session": "s1", "transaction": 2, **end}]
    other = {"kind": "transaction", "session": "s1", "transaction": 3, "result": "commit"}
    whole = {**INTENT, **OUTCOME, "kind": "statement", "statement": 2, "transaction": 2}
    await client.send(sender.seal(OPEN, INTENT, {**OUTCOME, "transaction": 2}, whole, *ended, other))
    # Of the statement and of its outcome alike, and of one that is told in one event.
    for seq in (2, 3, 4):
        text = (await client.get(f"/statements/gw1/boot1/{seq}")).text
        assert f"<dt>Transaction</dt><dd>{words}</dd>" in text


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (None, ""),
        ({"result": "commit"}, ""),
        ({"result": "rollback", "sqlstate": "23503"}, ", rolled back"),
        ({"result": "prepared"}, ", prepared"),
        ({"result": "unknown"}, ", its transaction's end unknown"),
    ],
)
async def test_lists_tell_what_became_of_what_was_done(
    client: Any, sender: Any, end: dict[str, str] | None, words: str
) -> None:
    ended = [] if end is None else [{"kind": "transaction", "session": "s1", "transaction": 2, **end}]
    # Another session's end, and that of the next transaction, are not its.
    others = [
        {"kind": "transaction", "session": "s2", "transaction": 2, "result": "rollback"},
        *ended,
        {"kind": "transaction", "session": "s1", "transaction": 3, "result": "rollback"},
    ]
    await client.send(sender.seal(OPEN, INTENT, {**OUTCOME, "transaction": 2}, *others))
    for query in ("", "?verb=delete", "?decision=allow&q=orders"):
        (one,) = (await client.get(f"/v1/events{query}")).json()["events"]
        assert (one["result"], one["transaction_end"]) == ("ok", "" if end is None else end["result"])
        page = (await client.get(f"/{query}")).text
        assert [told for told in (", rolled back", ", prepared", "end unknown") if told in page] == [
            told for told in (", rolled back", ", prepared", "end unknown") if told in words
        ]


async def test_what_failed_by_itself_is_told_as_that(client: Any, sender: Any) -> None:
    failed = {**OUTCOME, "result": "error", "sqlstate": "23505", "transaction": 2}
    end = {"kind": "transaction", "session": "s1", "transaction": 2, "result": "rollback"}
    await client.send(sender.seal(OPEN, INTENT, failed, end))
    page = (await client.get("/")).text
    assert ("error 23505" in page, "rolled back" in page) == (True, False)


async def test_without_a_transaction_there_is_nothing_to_say(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    assert "Transaction" not in (await client.get("/statements/gw1/boot1/2")).text


async def test_why_columns_are_masked_and_what_was_sent(client: Any, sender: Any) -> None:
    masks = [{"column": "public.people.email", "mask": "hash", "policy": "support", "rule": "masks[0]"}]
    told = {"masks": masks, "masked": ["public.people.email"], "rewritten": "SELECT <sent>", "hint": "ask <for> it"}
    await client.send(sender.seal(OPEN) + sender.statement(1, **told) + sender.whole(2, **told))
    for seq in (2, 4):
        text = (await client.get(f"/statements/gw1/boot1/{seq}")).text
        assert "public.people.email: hash, by support, masks[0]" in text
        assert "SELECT &lt;sent&gt;" in text
        assert "The client was told: ask &lt;for&gt; it" in text


async def test_what_ran_by_a_name_leads_to_what_made_it(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.whole(1) + sender.statement(2, madeBy=[1, 77]))
    await client.send(sender.whole(3, madeBy=[1, 77]))
    for seq in (3, 5):
        text = (await client.get(f"/statements/gw1/boot1/{seq}")).text
        assert '<a href="/statements/gw1/boot1/2">statement 1</a>' in text
        assert "statement 77" not in text


def test_words_of_a_transaction() -> None:
    assert Transaction(7, "rollback").words == "7, rolled back"
    assert Transaction(7, "novelty", "00000").words == "7, novelty (00000)"
