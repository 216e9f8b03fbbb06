"""Which words of an SQL text are values that somebody typed: literals, and bare words where a value is due.

`SET app.token TO hunter2` takes a word in place of a literal, and so do options (`typed_options.py`). What becomes of
them is the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pglast import ast, parse_sql
from pglast.parser import Token

from penstock_core.sql.syntax.tokens import LITERALS
from penstock_core.sql.syntax.typed_options import BEFORE_OPTIONS, options

_COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})
# What may set settings: SET itself, and definitions of roles, databases and functions.
_SETTING = frozenset({"SET", "ALTER", "CREATE"})
# Statements in which bare words may be values.
WITH_WORDS = _SETTING | BEFORE_OPTIONS | {"COPY"}
# Settings whose values are names of schemas and roles, which the trail has elsewhere, too.
_NAMING = frozenset({"search_path", "role", "session_authorization"})
# Words in place of a value that are none.
_NO_VALUES = frozenset({"DEFAULT", "LOCAL"})


def places(text: str, tokens: Sequence[Token]) -> frozenset[int]:
    """Where in the text the words begin that are values."""
    found = {token.start for token in tokens if token.name in LITERALS}
    if WITH_WORDS.isdisjoint({token.name for token in tokens}):
        return frozenset(found)
    for statement in statements(tokens):
        if statement[0].name in WITH_WORDS:
            found.update(options(text, statement))
        if statement[0].name in _SETTING:
            found.update(_set(text, statement))
    return frozenset(found)


def statements(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The words of each statement but its comments, as far as semicolons outside brackets tell."""
    depth = 0
    words: list[Token] = []
    for token in tokens:
        if token.name in _COMMENTS:
            continue
        if token.name == "ASCII_59" and depth <= 0:
            if words:
                yield words
            words = []
            continue
        depth += (token.name == "ASCII_40") - (token.name == "ASCII_41")
        words.append(token)
    if words:
        yield words


def value(text: str, token: Token) -> str:
    """What a word says, without its quotes and escapes."""
    raw = text[token.start : token.end + 1]
    if token.name not in LITERALS:
        return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw
    if not raw.endswith(("'", "$")):
        return raw
    (statement,) = parse_sql(f"SELECT {raw}")
    constant = statement.stmt.targetList[0].val  # type: ignore[union-attr]
    held = constant.val if isinstance(constant, ast.A_Const) else None
    return (held.sval or "") if isinstance(held, ast.String) else raw


def _set(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of `SET name = value, …`, wherever it stands in a statement: the values."""
    for place, word in enumerate(words):
        if word.name != "SET":
            continue
        at = place + 1
        if at < len(words) and words[at].name in ("SESSION", "LOCAL"):
            at += 1
        name: list[str] = []
        while at < len(words) and words[at].name not in ("TO", "ASCII_61", "FROM", "ASCII_40", "ASCII_44", "SET"):
            name.append(text[words[at].start : words[at].end + 1].lower())
            if name == ["time", "zone"]:
                break
            at += 1
        if at < len(words) and words[at].name in ("TO", "ASCII_61", "ZONE") and "".join(name) not in _NAMING:
            yield from _listed(words[at + 1 :])


def _listed(words: Sequence[Token]) -> Iterator[int]:
    """The words of a list."""
    due = True
    for word in words:
        if word.name in ("ASCII_44", "ASCII_45", "ASCII_43"):
            due = True
        elif not due:
            return
        else:
            due = False
            if word.name not in _NO_VALUES:
                yield word.start
