"""What counts as telling twins apart, what is only noise, and how scenes and what is known to be open are read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from tests.noninterference import attacking, known, tools, useful
from tests.noninterference.client import Message
from tests.noninterference.comparing import Verdict, compare
from tests.noninterference.known import Open
from tests.noninterference.regression import _split
from tests.noninterference.scenes import Step, read
from tests.noninterference.shrinking import shrink
from tests.noninterference.tally import Finding

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields

DONE: Message = (b"Z", b"I")


def row(*values: str) -> Message:
    body = b"".join(len(one).to_bytes(4, "big") + one.encode() for one in values)
    return b"D", len(values).to_bytes(2, "big") + body


def error(message: str, sqlstate: str = "22012") -> Message:
    return b"E", messages.error_response(ErrorFields("ERROR", sqlstate, message))[5:]


def described(*columns: tuple[str, int, int]) -> Message:
    """A RowDescription of int4 columns: their names, tables and numbers there."""
    body = b"".join(
        name.encode()
        + b"\0"
        + table.to_bytes(4, "big")
        + number.to_bytes(2, "big")
        + bytes.fromhex("000000170004ffffffff0000")
        for name, table, number in columns
    )
    return b"T", len(columns).to_bytes(2, "big") + body


def verdict(
    *rounds: list[list[Message]], unordered: bool = False, reorders: Callable[[bool], bool] = lambda longer: False
) -> Verdict:
    """Of twins that answer so at first, and so each time that they are asked again."""
    answers = cycle([[Step("SELECT", [*answer, DONE])] for answer in one] for one in rounds)
    return compare(lambda: next(answers), lambda: next(answers), unordered=unordered, reorders=reorders)


def test_rows_without_an_order_may_come_in_any_but_must_be_the_same() -> None:
    one, other = [row("1"), row("2")], [row("2"), row("1")]

    def always(longer: bool) -> bool:
        return True

    assert verdict([one, other], reorders=always).outcome == "reordered"
    assert verdict([[row("{1,2}")], [row("{2,1}")]], reorders=always).outcome == "reordered"
    assert verdict([[row("{1,2}")], [row("{2,3}")]], reorders=always).outcome == "leaked"
    assert verdict([one, other]).outcome == "leaked"
    assert verdict([one, [row("2"), row("3")]], reorders=always).outcome == "leaked"
    assert verdict([one, [row("2")]], reorders=always).outcome == "leaked"


def test_what_is_the_same_a_few_times_by_chance_is_asked_more_often() -> None:
    few, many = [[row("1")], [row("2")]], [[row("2")], [row("1")]]
    assert verdict(*[few] * 6, many).outcome == "unstable"


def test_where_only_longer_values_change_the_order_it_is_told_so() -> None:
    one, other = [row("1"), row("2")], [row("2"), row("1")]

    def longer_alone(longer: bool) -> bool:
        return longer

    assert verdict([one, one, other], reorders=longer_alone).outcome == "reordered"
    assert verdict([one, other, other], reorders=longer_alone).outcome == "leaked"
    assert verdict([one, other], reorders=longer_alone).outcome == "leaked"


def test_twins_that_answer_alike_are_equal_and_a_refusal_is_named() -> None:
    assert verdict([[row("1")], [row("1")]]).outcome == "equal"
    refusal = verdict([[error("penstock: no", "42501")], [error("penstock: no", "42501")]])
    assert (refusal.outcome, refusal.why) == ("refused", "penstock: no")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([row("1")], [row("2")]),
        ([row("1"), row("2")], [row("2"), row("1")]),
        ([row("1")], []),
        ([error("a")], [error("b")]),
        ([error("penstock: no", "42501")], [row("1")]),
        ([(b"C", b"UPDATE 1\0")], [(b"C", b"UPDATE 2\0")]),
        ([(b"N", error("x")[1])], [(b"N", error("y")[1])]),
        ([described(("a", 0, 0))], [described(("b", 0, 0))]),
        ([(b"!", b"the connection was closed")], [row("1")]),
    ],
)
def test_whatever_differs_is_a_leak(left: list[Message], right: list[Message]) -> None:
    assert verdict([left, right]).outcome == "leaked"


def test_a_third_twin_counts_like_the_second() -> None:
    assert verdict([[row("1")], [row("1")], [row("2")]]).outcome == "leaked"


def test_rows_in_any_order_are_only_compared_as_a_whole_where_a_scene_says_so() -> None:
    turned = [[row("1"), row("2")], [row("2"), row("1")]]
    assert verdict(turned, unordered=True).outcome == "equal"
    assert verdict([[row("1"), row("1")], [row("1"), row("2")]], unordered=True).outcome == "leaked"


def test_what_differs_from_itself_is_noise_but_what_stands_beside_it_is_not() -> None:
    clocks = [[[row(f"{n}.1")], [row(f"{n}.2")]] for n in range(5)]
    assert verdict(*clocks).outcome == "unstable"
    # As many rows as chance has it.
    one, two = [row("1")], [row("1"), row("1")]
    assert verdict([one, two], [two, one]).outcome == "unstable"
    beside = [[[row(f"{n}.1", "a")], [row(f"{n}.2", "b")]] for n in range(5)]
    assert verdict(*beside).outcome == "leaked"


def test_noise_on_one_twin_does_not_hide_what_the_other_always_says() -> None:
    assert verdict([[row("1")], [row("3")]], [[row("2")], [row("3")]]).outcome == "leaked"
    assert verdict([[row("1")], [row("2")]], [[row("2")], [row("2")]]).outcome == "unstable"
    one, two, three = ([row("1")] * n for n in (1, 2, 3))
    assert verdict([one, three], [two, three]).outcome == "leaked"
    assert verdict([[error("a")], [row("1")]], [[row("1")], [error("a")]]).outcome == "unstable"
    # A die that by chance showed others to one than to the other at first.
    dice = [[[row(mine)], [row(theirs)]] for mine, theirs in zip("1121133", "4545446", strict=True)]
    dice += [[[row(str(1 + n % 6))], [row(str(1 + n % 5))]] for n in range(33)]
    assert verdict(*dice).outcome == "unstable"


def test_a_statement_that_ran_out_of_time_proves_nothing() -> None:
    out_of_time = [[error("canceling", "57014")], [row("1")]]
    assert verdict(out_of_time).outcome == "unstable"
    assert verdict(out_of_time, [[row("1")], [row("2")]], [[row("1")], [row("2")]]).outcome == "leaked"


def test_a_block_is_a_scene(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text(
        "--- A heading.\n--- as: reader\n\n"
        "-- two of them\n-- since: 18\n-- varies: a clock\nSELECT 1;\n@b(dba): DROP TABLE x;\n\n"
        "-- as: writer\nCOPY t FROM STDIN;\n1\tx\nSELECT $1, $2; -- $ a | NULL\n\n"
        "SELECT\n  2;\n"
    )
    two, copy, last = read(path)
    assert (two.title, two.identity, two.since, two.varies) == ("some: two of them", "reader", 18, "a clock")
    assert [(one.text, one.session, one.identity) for one in two.statements] == [
        ("SELECT 1", "", ""),
        ("DROP TABLE x", "b", "dba"),
    ]
    assert (copy.identity, copy.statements[0].data, copy.statements[1].values) == ("writer", b"1\tx\n", (b"a", None))
    assert last.statements[0].text == "SELECT\n  2"


def test_a_statement_without_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text("SELECT 1\n")
    with pytest.raises(ValueError, match="semicolon"):
        read(path)


def test_there_are_as_many_scenes_and_lists_as_the_proof_asks_for() -> None:
    titles = [scene.title for scene in attacking.scenes()]
    assert len(titles) >= 500
    assert len(set(titles)) == len(titles)
    lists = useful.titles()
    assert sum(one.startswith(useful.STATEMENTS) for one in lists) >= 200
    assert sum(not one.startswith(useful.STATEMENTS) for one in lists) >= 60


def test_what_is_known_is_excused_and_a_stale_entry_is_told() -> None:
    entry = Open(wrong="leaked", kind="order", reason="the order of rows", titles=["order: limit, *", "order: gone"])
    found = Finding("leaked", "attacks", "order: limit, users", "SELECT", "differs", 18)
    other = Finding("useless", "attacks", "order: limit, users", "SELECT", "refused", 18)
    assert known.unknown([found, other], [entry]) == [other]
    assert known.stale([found], [entry], ["order: limit, users", "order: gone"]) == ["leaked, order: order: gone"]
    assert known.stale([found], [entry], ["order: limit, users"]) == []


def test_what_is_listed_as_open_exists() -> None:
    titles = {scene.title for scene in attacking.scenes()} | set(useful.titles())
    for entry in known.load():
        for title in entry.titles:
            assert "*" in title or title in titles or entry.kind in tools.TOOLS, title


def test_a_statement_is_made_as_short_as_it_still_tells() -> None:
    long = "SELECT a, b, c + (d * 2) FROM t JOIN u USING (id) WHERE a > 1 AND b < 2 ORDER BY c LIMIT 3"
    assert shrink(long, lambda text: "d" in text.split("FROM")[0] and " t" in text) == "SELECT d FROM t"
    assert shrink("SELEKT", lambda _: True) == "SELEKT"


def test_a_psql_script_is_split_without_psqls_own(tmp_path: Path) -> None:
    path = tmp_path / "script.sql"
    path.write_text("\\set x 1\nSELECT 1;\nCOPY t FROM stdin;\n1\t;\n\\.\nSELECT 'a;b'\\gset\n-- end\n")
    assert list(_split(path)) == ["SELECT 1", "COPY t FROM stdin", "SELECT 'a;b'"]


def test_tables_that_servers_number_otherwise_are_told_apart_and_no_more() -> None:
    one = [described(("id", 17000, 1), ("sum", 0, 0), ("other", 17003, 2))]
    assert verdict([one, [described(("id", 17501, 1), ("sum", 0, 0), ("other", 17512, 2))]]).outcome == "equal"
    assert verdict([one, [described(("id", 17501, 1), ("sum", 0, 0), ("other", 17501, 2))]]).outcome == "leaked"
    assert verdict([one, [described(("id", 17000, 1), ("sum", 17000, 0), ("other", 17003, 2))]]).outcome == "leaked"
    assert verdict([one, [described(("id", 17000, 2), ("sum", 0, 0), ("other", 17003, 2))]]).outcome == "leaked"
