"""The statements of an SQL file, each with the line that it begins in.

Plain SQL, as a client would send it: no commands of psql's, no placeholders of a driver's. What doesn't belong: opening
files, and what a statement means.
"""

from __future__ import annotations

import bisect
import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pglast.parser import ParseError, Token, scan, split

from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax.parse import parse

_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
# Up to here the parser itself says where statements end.
_LONGEST_PARSED = 32 * 1024
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_OWN_TAG = re.compile(r"\$\w*[^\x00-\x7f]\w*\$")


@dataclass(frozen=True, slots=True)
class SourceStatement:
    """One statement, without the semicolon behind it."""

    file: str
    line: int
    text: str


def statements(text: str, file: str) -> Iterator[SourceStatement]:
    """Each statement of the text; where it can't be told where one ends, the rest is one."""
    breaks = [place for place, letter in enumerate(text) if letter == "\n"]
    for part in _parts(text):
        start = part.start + _comments(text[part])
        if text[start : part.stop].strip():
            yield SourceStatement(file, bisect.bisect_left(breaks, start) + 1, text[start : part.stop].rstrip())


def _parts(text: str) -> tuple[slice, ...]:
    """Where the statements are, with comments before them."""
    if "\0" in text:
        # The parser would take it for the end.
        return (slice(0, len(text)),)
    if len(text) <= _LONGEST_PARSED:
        with contextlib.suppress(Refused):
            # The splitter, unlike this, has no bounds and would end the process.
            parse(text)
            parts: tuple[slice, ...] = split(text, only_slices=True)
            return parts
    # One of them is no SQL, or all together are too much.
    try:
        return tuple(_between_semicolons(text))
    except ParseError:
        return (slice(0, len(text)),)


def _between_semicolons(text: str) -> Iterator[slice]:
    """Where the statements are as far as words tell: no semicolon in brackets or in BEGIN ATOMIC … END ends one."""
    begun, brackets, blocks, before = 0, 0, 0, ""
    for token in _words(text):
        name = token.name
        if name in _COMMENTS:
            continue
        if name in ("ASCII_40", "ASCII_41"):
            brackets = max(0, brackets + (1 if name == "ASCII_40" else -1))
        elif (name == "ATOMIC" and before == "BEGIN_P") or (name == "CASE" and blocks):
            blocks += 1
        elif name == "END_P" and blocks:
            blocks -= 1
        elif name == "ASCII_59" and not brackets and not blocks:
            yield slice(begun, token.start)
            begun = token.end + 1
        before = name
    yield slice(begun, len(text))


def _comments(text: str) -> int:
    """How much of a statement's text is comments before it begins."""
    try:
        return next((token.start for token in _words(text) if token.name not in _COMMENTS), len(text))
    except ParseError:
        return len(text) - len(text.lstrip())


def _words(text: str) -> Iterable[Token]:
    # With many other letters the scanner takes time by the square of the text's length, and to it one is like another;
    # but for the tags of dollar quotes, where it matters which.
    found: Iterable[Token] = scan(text if _OWN_TAG.search(text) else _NOT_ASCII.sub("z", text))
    return found
