"""SQL as the audit trail stores it: without what people typed as values, and without what they wrote as comments."""

from __future__ import annotations

from collections.abc import Sequence

from pglast.parser import ParseError, Token

from penstock_core.policy.effective import SqlTextMode
from penstock_core.sql.syntax.tokens import LITERALS, words_of

_COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})


def audit_text(text: str, mode: SqlTextMode) -> str:
    """The text by what the policies ask for; empty for `hash` and for what can't be split into tokens safely."""
    if mode == "full":
        return text
    return "" if mode == "hash" else normalize(text)


def normalize(text: str) -> str:
    """Literals become $n, numbered on from the text's own parameters; comments go, spacing becomes single."""
    try:
        tokens = words_of(text)
    except (ParseError, ValueError):
        return ""
    number = _last_parameter(text, tokens) if "$" in text else 0
    words: list[str] = []
    before = -2
    for start, end, name, _ in tokens:
        if name in _COMMENTS:
            continue
        if start != before + 1 and words:
            words.append(" ")
        before = end
        if name in LITERALS:
            number += 1
            words.append(f"${number}")
        else:
            words.append(text[start : end + 1])
    return "".join(words)


def _last_parameter(text: str, tokens: Sequence[Token]) -> int:
    numbers = [text[token.start + 1 : token.end + 1] for token in tokens if token.name == "PARAM"]
    return max((int(one) for one in numbers if one.isdigit()), default=0)
