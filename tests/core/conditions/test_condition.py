"""A text is a condition or it is told what is wrong, in one line, where and what to do; and what conditions come to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.conditions import UNLESS, WHEN, Circumstances, ConditionError, Scope, Truth, condition, values
from penstock_core.identity import Identity, Principal, Workload

NOON = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)  # a Monday; 12:30 in Berlin
ADA = Identity(None, Principal("person", "ada", "https://id.example.com", ("dpo", "team-a")))
BOT = Identity(Workload("shop", "web", "web-1"), Principal("agent", "bot", "https://id.example.com"))
WEB = Identity(Workload("shop", "web", "web-1"))
TRUE, FALSE, ABSENT, ERROR = Truth.TRUE, Truth.FALSE, Truth.ABSENT, Truth.ERROR


def truths(text: str, circumstances: Circumstances) -> list[Truth]:
    found = condition(text, UNLESS)
    return [found.evaluate(values(who, "shop", circumstances)).truth for who in (ADA, BOT, WEB)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'dpo' in identity.groups", [TRUE, FALSE, ABSENT]),
        ("!('dpo' in identity.groups)", [FALSE, TRUE, ABSENT]),
        ("identity.groups.exists(g, g.startsWith('team-'))", [TRUE, FALSE, ABSENT]),
        ("identity.groups.all(g, g.startsWith('team-'))", [FALSE, TRUE, ABSENT]),
        ("size(identity.groups) == 0", [FALSE, TRUE, ABSENT]),
        ("identity.kind == 'agent'", [FALSE, TRUE, ABSENT]),
        # Whom it is not asked of does not pass for another.
        ("identity.kind != 'agent'", [TRUE, FALSE, ABSENT]),
        ("identity.subject != 'bot'", [TRUE, FALSE, ABSENT]),
        ("identity.issuer == 'https://id.example.com' && identity.subject == 'ada'", [TRUE, FALSE, ABSENT]),
        ("identity.namespace == 'shop' && identity.serviceAccount == 'web'", [ABSENT, TRUE, TRUE]),
        ("identity.pod.matches('^web-[0-9]+$')", [ABSENT, TRUE, TRUE]),
        # What is decided without it need not be there.
        ("identity.name == 'person:ada' || identity.serviceAccount == 'web'", [TRUE, TRUE, TRUE]),
        ("identity.name != 'sa:shop/web' && 'dpo' in identity.groups", [TRUE, FALSE, FALSE]),
        ("session.database == 'shop'", [TRUE, TRUE, TRUE]),
        ("session.clientAddress.startsWith('10.')", [TRUE, TRUE, TRUE]),
        ("session.clientAddress in ['10.0.0.7', '10.0.0.8']", [TRUE, TRUE, TRUE]),
        ("now.getHours('Europe/Berlin') == 12 && now.getHours() == 11", [TRUE, TRUE, TRUE]),
        ("now.getDayOfWeek() in [1, 2, 3, 4, 5]", [TRUE, TRUE, TRUE]),
        ("now < timestamp('2026-03-02T12:30:00+01:00')", [FALSE, FALSE, FALSE]),
        ("now <= timestamp('2026-03-02T12:30:00+01:00')", [TRUE, TRUE, TRUE]),
        ("now - timestamp('2026-03-02T11:00:00Z') < duration('31m')", [TRUE, TRUE, TRUE]),
        ("identity.groups[1] == 'team-a'", [TRUE, ERROR, ABSENT]),
        ("1 / (size(identity.groups) - 2) > 0", [ERROR, FALSE, ABSENT]),
        ("identity.name == 'person:ada' && identity.groups[7] == ''", [ERROR, FALSE, FALSE]),
    ],
)
def test_what_conditions_come_to(text: str, found: list[Truth]) -> None:
    assert truths(text, Circumstances(NOON, "10.0.0.7")) == found


@pytest.mark.parametrize(
    "text", ["now > timestamp('2000-01-01T00:00:00Z')", "session.clientAddress != '10.0.0.7'", "!(now == now)"]
)
def test_what_is_not_known_is_neither_true_nor_false(text: str) -> None:
    assert truths(text, Circumstances()) == [ABSENT] * 3


def test_a_verdict_says_why() -> None:
    facts = values(WEB, "shop", Circumstances())
    absent = condition("identity.kind == 'agent' && 'a' in identity.groups", UNLESS).evaluate(facts)
    assert (absent.holds, absent.why) == (False, "there is no identity.groups and no identity.kind")
    failed = condition("identity.groups[9] == ''", UNLESS).evaluate(values(ADA, "shop", Circumstances()))
    assert (failed.holds, failed.why) == (False, "Index error: index=9 size=2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity.name", 1), ("identity.name", None), ("identity.name", "\ud800"), ("identity.name", ["a"]),
        ("identity.groups", "dpo"), ("identity.groups", ("dpo",)), ("identity.groups", [1]),
        ("identity.groups", ["\ud800"]), ("now", "soon"), ("now", True),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_errors(name: str, value: Any) -> None:
    texts = {"identity.groups": "!('x' in identity.groups)", "now": "now != timestamp('2026-01-01T00:00:00Z')"}
    found = condition(texts.get(name, "identity.name != 'x'"), UNLESS).evaluate({name: value})
    assert (found.truth, bool(found.why), "\n" in found.why) == (ERROR, True, False)


def test_only_what_may_change_with_time_depends_on_it() -> None:
    assert condition("now.getHours() < 8", UNLESS).depends_on_time
    assert condition("identity.name == '' && [now] == [now]", UNLESS).depends_on_time
    assert not condition("identity.name == 'now'", UNLESS).depends_on_time


WRONG: dict[str, tuple[str, str]] = {
    "a name misspelled": (
        "'x' in identity.grups", "column 16: identity.grups is not known; did you mean identity.groups?"
    ),
    "a name that there is not": (
        "user == 'ada'",
        "column 1: user is not known; it may name identity.name, identity.kind, identity.subject, identity.issuer, "
        "identity.groups, identity.namespace, identity.serviceAccount, identity.pod, session.database, "
        "session.clientAddress, session.access, now",
    ),
    "a part left out": (
        "session == 'shop'",
        "column 1: session is no value by itself; use session.database, session.clientAddress, session.access",
    ),
    "a claim": (
        "session.application == 'psql'",
        "column 8: session.application can't be used in unless: it is what the client says of itself, and proves "
        "nothing; use identity",
    ),
    "the statement": (
        "statement.verb == 'select'",
        "column 10: statement.verb can't be used in unless: a mask holds for whatever statement is sent; leave "
        "statement out, and use allow or guardrails",
    ),
    "types that don't go together": (
        "identity.kind == 1",
        "column 15: == can't be applied to string and int; use values of the types that it takes",
    ),
    "a time that is a text": (
        "now > '2026-01-01'",
        "column 5: > can't be applied to timestamp and string; use values of the types that it takes",
    ),
    "a function misspelled": (
        "identity.name.startWith('a')",
        "column 24: the function startWith is not known; did you mean startsWith?",
    ),
    "no condition": ("identity.name", "must be true or false, and is string; compare it with something"),
    "always so": ("1 == 1", "names nothing that it could depend on; it may name identity, now, session"),
    "cut off": (
        "identity.name ==", "column 17: can't be read as CEL from there on; write one such as 'dpo' in identity.groups"
    ),
    "SQL": (
        "identity.name = 'ada'",
        "column 15: can't be read as CEL from there on; write one such as 'dpo' in identity.groups",
    ),
    "in the second line": (
        "identity.name == 'ada' &&\n  identity.grups == []",
        "line 2, column 11: identity.grups is not known; did you mean identity.groups?",
    ),
    "too deep": ("(" * 50 + "now == now" + ")" * 50, "is nested too deeply; split it, or use in with a list"),
    "half a character": ("identity.name == '\ud800'", "holds half a character; write it out"),
    "without end": ("identity.name == '" + "a" * 2048 + "'", "must have at most 2048 characters"),
    "nothing": ("", "column 1: can't be read as CEL from there on; write one such as 'dpo' in identity.groups"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text, UNLESS)
    assert str(caught.value) == words


def test_what_is_held_may_depend_on_the_statement() -> None:
    held = condition("statement.verb in ['alter', 'drop'] || 'public.cards' in statement.tables", WHEN)
    facts = values(ADA, "shop", Circumstances(NOON))
    for verb, tables, truth in (("drop", [], TRUE), ("select", ["public.cards"], TRUE), ("select", ["a.b"], FALSE)):
        assert held.evaluate(facts | {"statement.verb": verb, "statement.tables": tables}).truth is truth


def what(text: str, scope: Scope) -> str:
    """What is wrong with it, or what it comes to."""
    try:
        found = condition(text, scope)
    except ConditionError as error:
        return str(error)
    assert found.names
    return found.evaluate(values(ADA, "shop", Circumstances(NOON))).truth.value


@given(st.text(max_size=60), st.sampled_from([UNLESS, WHEN]))
def test_whatever_the_text_it_is_a_condition_or_a_line(text: str, scope: Scope) -> None:
    assert what(text, scope).isprintable()


_WORDS = st.sampled_from(
    ["identity.groups", "identity.name", "now", "session", "(", ")", "[", "]", ".exists(g, ", "in", "==", "&&", "!",
     "'a'", "\"", "g", "1", "?", ":", "timestamp(", "matches(", "{", "}", ",", "has(", "\n", "//", "true", "null"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=14).map(" ".join))
def test_whatever_the_words_it_is_a_condition_or_a_line(text: str) -> None:
    assert what(text, UNLESS).isprintable()
