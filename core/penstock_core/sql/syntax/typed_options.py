"""Which bare words of options are values that somebody typed: `WITH (slot_name = hunter2)`, `COPY … (NULL hunter2)`.

Most options of PostgreSQL's take a word in place of a literal. Words that options are made of, and names of functions,
types and columns, tell nothing. What becomes of the others is the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pglast.parser import Token

OPEN, CLOSE, COMMA, EQUAL = "ASCII_40", "ASCII_41", "ASCII_44", "ASCII_61"
# Statements that begin with options in brackets.
BEFORE_OPTIONS = frozenset({"EXPLAIN", "VACUUM", "ANALYZE", "ANALYSE", "REINDEX", "CLUSTER", "CHECKPOINT"})
# What stands there instead where the brackets are around a query.
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", OPEN})
# Behind these stand options in brackets.
_LEADING = frozenset({"WITH", "WITH_LA", "SET", "SKIP"})
# What is defined by options alone.
_DEFINED = frozenset({"AGGREGATE", "OPERATOR", "TYPE_P", "COLLATION", "SEARCH"})
# Words that are no secret, since options have them.
_WORDS = frozenset({
    "on", "off", "true", "false", "none", "default", "null", "any", "all", "auto", "always", "json", "xml", "yaml",
    "csv", "text", "binary", "match", "stop", "ignore", "verbose", "silent", "local", "cascaded", "parallel",
    "remote_write", "remote_apply", "icu", "libc", "builtin", "read_only", "read_write", "shareable", "safe",
    "restricted", "unsafe", "plain", "external", "extended", "main", "wal_log", "file_copy",
})  # fmt: skip
# Options whose words are names: of functions, operators, types, schemas.
_NAMING = frozenset({
    "sfunc", "stype", "msfunc", "minvfunc", "mstype", "finalfunc", "mfinalfunc", "combinefunc", "serialfunc",
    "deserialfunc", "sortop", "basetype", "leftarg", "rightarg", "procedure", "function", "commutator", "negator",
    "restrict", "join", "input", "output", "receive", "send", "typmod_in", "typmod_out", "analyze", "subscript",
    "like", "element", "subtype", "subtype_opclass", "subtype_diff", "collation", "canonical", "multirange_type_name",
    "template", "parser", "copy", "start", "gettoken", "end", "headline", "lextypes", "init", "lexize", "tablespace",
    "owner",
})  # fmt: skip
_COLUMNS = frozenset({"force_quote", "force_not_null", "force_null"})


def options(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Where the words begin that are values of the options of this statement."""
    match words[0].name:
        case "COPY":
            yield from _copied(text, words)
        case first if first in BEFORE_OPTIONS:
            if len(words) > 2 and words[1].name == OPEN and words[2].name not in _QUERIES:
                yield from _bracketed(text, words[1:])
            yield from _behind_words(text, words)
        case _:
            yield from _behind_words(text, words)
            yield from _of_a_kind(text, words)


def _copied(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of `COPY … FROM|TO … (option value, …)`."""
    depth, behind = 0, False
    for at, word in enumerate(words):
        if depth == 0 and word.name in ("FROM", "TO"):
            behind = True
        elif depth == 0 and word.name == "WHERE":
            return
        elif behind and depth == 0 and word.name == OPEN:
            yield from _bracketed(text, words[at:])
        depth += (word.name == OPEN) - (word.name == CLOSE)


def _behind_words(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of `WITH (option = value, …)` and its like, wherever it stands."""
    for at, word in enumerate(words[:-1]):
        if word.name in _LEADING and words[at + 1].name == OPEN:
            yield from _bracketed(text, words[at + 1 :], equal=True)


def _of_a_kind(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of what only definitions of one kind have."""
    kinds = [word.name for word in words[1:5]]
    if not _DEFINED.isdisjoint(kinds[:3]):
        depth = 0
        for at, word in enumerate(words):
            if depth == 0 and word.name == OPEN:
                yield from _bracketed(text, words[at:], equal=True)
            depth += (word.name == OPEN) - (word.name == CLOSE)
    elif "TRIGGER" in kinds:
        yield from _arguments(text, words)
    elif kinds[0:1] == ["EXTENSION"]:
        for word, behind in pairwise(words):
            if word.name in ("VERSION_P", "TO"):
                yield behind.start
    elif kinds[0:1] == ["DATABASE"] and words[0].name == "CREATE":
        yield from _database(text, words[3:])


def _arguments(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of a trigger's function: all its arguments are texts."""
    called = [at for at, word in enumerate(words) if word.name == "EXECUTE"]
    if called:
        within = False
        for word in words[called[-1] :]:
            within |= word.name == OPEN
            if within and not _is_sign(word):
                yield word.start


def _database(text: str, words: Sequence[Token]) -> Iterator[int]:
    """Of `CREATE DATABASE name option [=] value …`."""
    option = ""
    for word in words:
        said = _said(text, word)
        if word.name in ("WITH", "WITH_LA", EQUAL):
            continue
        if not option:
            option = said
            continue
        if option not in (*_NAMING, "connection") and said not in _WORDS:
            yield word.start
        # CONNECTION LIMIT is one option of two words.
        option = "limit" if option == "connection" else ""


def _bracketed(text: str, words: Sequence[Token], *, equal: bool = False) -> Iterator[int]:
    """Of a list in brackets that these words begin with; `equal`: of options that have a sign before the value."""
    depth = 0
    option: list[Token] = []
    for word in words:
        depth += (word.name == OPEN) - (word.name == CLOSE)
        if depth == 0 or (depth == 1 and word.name == COMMA):
            yield from _one(text, option, equal)
            option = []
        elif option or word.name != OPEN or depth > 1:
            option.append(word)
        if depth == 0:
            return


def _one(text: str, option: Sequence[Token], equal: bool) -> Iterator[int]:
    kinds = [word.name for word in option]
    if EQUAL not in kinds and equal:
        return
    at = kinds.index(EQUAL) if EQUAL in kinds else 0
    name = _said(text, option[at - 1]) if at else _said(text, option[0]) if option else ""
    given = option[at + 1 :]
    if name in _NAMING or (name in _COLUMNS and kinds[1:2] == [OPEN]):
        return
    yield from (word.start for word in given if not _is_sign(word) and _said(text, word) not in _WORDS)


def _said(text: str, word: Token) -> str:
    return text[word.start : word.end + 1].lower()


def _is_sign(word: Token) -> bool:
    return word.name.startswith("ASCII_") or word.name == "Op"
