"""SQL as the audit trail stores it: without what people typed as values, and without what they wrote as comments."""

from __future__ import annotations

from pglast.parser import ParseError

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
        tokens = [token for token in words_of(text) if token.name not in _COMMENTS]
    except (ParseError, ValueError):
        return ""
    spelled = [(token.name, text[token.start : token.end + 1], token.start, token.end) for token in tokens]
    number = max((int(word[1:]) for name, word, *_ in spelled if name == "PARAM" and word[1:].isdigit()), default=0)
    words: list[str] = []
    before = -2
    for name, word, start, end in spelled:
        if name in LITERALS:
            number += 1
            word = f"${number}"
        words.append(word if start == before + 1 or not words else f" {word}")
        before = end
    return "".join(words)
