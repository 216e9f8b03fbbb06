"""SQL, and why it was refused, as the audit trail stores it: without what people typed as values, and without what
they wrote as comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pglast.parser import ParseError, Token

from penstock_core.policy.effective import SqlTextMode
from penstock_core.sql.syntax.shapes import taken_apart
from penstock_core.sql.syntax.tokens import words_of
from penstock_core.sql.syntax.typed_values import WITH_WORDS, places, statements, value

_COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})
# What the parser quotes of a text that it does not understand.
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_LEFT_OUT = "…"
# Where words may be values, but for SET, which matters at the beginning alone: UPDATE has it, too.
_WITH_WORDS = tuple(sorted(word.lower() for word in WITH_WORDS - {"SET"}))
_WITH_WORD = re.compile(rf"\b(?:{'|'.join(_WITH_WORDS)})\b", re.IGNORECASE)
# Where a string is written in two parts.
_CONTINUED = re.compile(r"'\s*'")
# Of what is left between plain literals: numbers that are not as plain.
_NUMBER = re.compile(r"[0-9](?<![\w$][0-9])")
_PARAMETER = re.compile(r"(?<![\w$])\$([0-9]+)")
_MOST_PARAMETERS = 65535
_SPACES = re.compile(r"[ \t\n\r\f]+")
# Shorter values are parts of ordinary words, and numbers like those of policies.
_SHORTEST = 4


def audit_text(text: str, mode: SqlTextMode) -> str:
    """The text by what the policies ask for; empty for `hash` and for what can't be split into tokens safely."""
    if mode == "full":
        return text
    return "" if mode == "hash" else normalize(text)


def audit_texts(text: str, mode: SqlTextMode, count: int) -> tuple[str, ...]:
    """The same of each of a text's statements; all of it for each where they can't be told apart by the words alone."""
    if mode == "hash":
        return ("",) * count
    if mode == "normalized" and count == 1 and ";" not in text:
        return (normalize(text),)
    tokens = words_of(text)
    found = list(statements(tokens))
    if len(found) != count:
        return (audit_text(text, mode),) * count
    if mode == "full":
        return tuple(text[one[0].start : one[-1].end + 1] for one in found)
    typed = _numbered(text, tokens)
    return tuple(_written(text, one, typed) for one in found)


def audit_reason(reason: str, text: str, *, parsed: bool) -> str:
    """Why a text was refused, without the values in it; `parsed`: the parser has understood it."""
    try:
        tokens = words_of(text) if parsed else ()
    except (ParseError, ValueError):
        parsed = False
    if not parsed:
        # What of it is a value, nobody knows.
        return _QUOTED.sub(lambda quoted: quoted[0] if _is_plain(quoted[1]) else f'"{_LEFT_OUT}"', reason)
    typed = places(text, tokens)
    for token in tokens:
        if token.start in typed and len(told := value(text, token)) >= _SHORTEST:
            edges = r"(?<!\w)" if told[0].isalnum() else "", r"(?!\w)" if told[-1].isalnum() else ""
            reason = re.sub(re.escape(told).join(edges), _LEFT_OUT, reason, flags=re.IGNORECASE)
    return reason


def normalize(text: str) -> str:
    """Values become $n, numbered on from the text's own parameters; comments go, spacing becomes single."""
    if (plain := _plainly(text)) is not None:
        return plain
    try:
        tokens = words_of(text)
        return _written(text, tokens, _numbered(text, tokens))
    except (ParseError, ValueError):
        return ""


def _plainly(text: str) -> str | None:
    """The same without the scanner, in a fraction of its time; None where it takes the scanner to tell."""
    words = taken_apart(text)
    # Literals are seen as quotes.
    between = "'".join(words[::2])
    named = '"' in between
    if not between.isprintable() or "  " in between:
        if named or _CONTINUED.search(between) is not None:
            return None
        words[::2] = [_SPACES.sub(" ", word) for word in words[::2]]
        between = "'".join(words[::2])
    if not words or not between.isascii() or not between.isprintable() or not _is_plain_statement(between):
        return None
    # Quotes that nothing ends, or that nothing is in.
    if between.count("'") != len(words) // 2 or (named and ('""' in between or between.count('"') % 2)):
        return None
    first = 1
    if "$" in between:
        parameters = [int(one) for one in _PARAMETER.findall(between)]
        if named or (parameters and max(parameters) > _MOST_PARAMETERS):
            return None
        first += max(parameters, default=0)
    words[1::2] = [f"${number}" for number in range(first, first + len(words) // 2)]
    return "".join(words).strip(" ")


def _is_plain_statement(between: str) -> bool:
    """Whether it is one statement, in which all that could be a value is a plain literal."""
    if _NUMBER.search(between) is not None or ";" in between.rstrip("; ") or between.lstrip()[:3].lower() == "set":
        return False
    lowered = between.lower()
    return not any(word in lowered for word in _WITH_WORDS) or _WITH_WORD.search(between) is None


def _numbered(text: str, tokens: Sequence[Token]) -> dict[int, int]:
    """The number of each value, by where it begins."""
    first = 1 + (_last_parameter(text, tokens) if "$" in text else 0)
    return {place: number for number, place in enumerate(sorted(places(text, tokens)), first)}


def _written(text: str, tokens: Sequence[Token], typed: dict[int, int]) -> str:
    words: list[str] = []
    before = -2
    for start, end, name, _ in tokens:
        if name in _COMMENTS:
            continue
        if start != before + 1 and words:
            words.append(" ")
        before = end
        words.append(f"${typed[start]}" if start in typed else text[start : end + 1])
    return "".join(words)


def _is_plain(quoted: str) -> bool:
    """Whether it is a keyword or a sign, which tells no value."""
    try:
        words = words_of(quoted)
    except (ParseError, ValueError):
        return False
    return len(words) == 1 and (words[0].kind != "NO_KEYWORD" or words[0].name.startswith("ASCII_"))


def _last_parameter(text: str, tokens: Sequence[Token]) -> int:
    numbers = [text[token.start + 1 : token.end + 1] for token in tokens if token.name == "PARAM"]
    return max((int(one) for one in numbers if one.isdigit()), default=0)
