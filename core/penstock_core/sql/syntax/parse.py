"""From SQL text to syntax trees, with bounds: no text may crash or stall the process that has to decide about it.

The parser builds its trees by recursion in C without a check of its own, so that a long chain (`1+1+1+…`) overflows the
stack. Depth is therefore estimated from the tokens before the text is parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pglast import ast, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.decision import Denial
from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax import literals, quick_nodes
from penstock_core.sql.syntax.tokens import lookups, most_lookups, words_of

quick_nodes.install()
literals.install()

MAX_TEXT = 4 * 1024 * 1024
MAX_DEPTH = 3000
# How many words and signs a text may have, and how many copies of them its tree may hold: a thousand take some
# milliseconds.
MAX_TOKENS = 250_000
MAX_COPIES = 50_000
# A text shorter than this can't be deep enough to matter.
_SHALLOW = 2 * MAX_DEPTH
# A text shorter than this can't hold that many copies: no word is shorter than one sign.
_SHORT = int((2 * MAX_COPIES) ** 0.5)

# Behind these the depth reached so far counts no longer: lists and chains of AND and OR are kept flat.
_FLAT = frozenset({"ASCII_44", "AND", "OR"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_OPENING = frozenset({"ASCII_40", "ASCII_91"})
_CLOSING = frozenset({"ASCII_41", "ASCII_93"})
# Likewise between CASE and its END, and nowhere else.
_ARMS = frozenset({"WHEN", "THEN", "ELSE"})
# What stands on either side of these is apart, but each at one level makes the tree one deeper.
_STACKED = frozenset({"JOIN", "UNION", "INTERSECT", "EXCEPT"})


def parse(text: str) -> tuple[ast.Node, ...]:
    """The statements of a text. Raises Refused for what the parser rejects and for what is too large for it."""
    if "\0" in text:
        raise Refused(Denial("the statement contains the character NUL", "remove it", sqlstate="42601"))
    if len(text) > MAX_TEXT:
        raise _too_large(f"the text is longer than {MAX_TEXT} characters")
    if len(text) > _SHALLOW:
        _check_size(text)
    try:
        text.encode()
        if len(text) > _SHALLOW and depth(text) > MAX_DEPTH:
            raise _too_large("the statement is nested too deeply")
        if len(text) > _SHORT and _SHARED.search(text) and copies(text) > MAX_COPIES:
            raise _too_large("the statement sets too many columns together")
        statements = _trees(text)
    except ParseError as error:
        raise Refused(_syntax_error(error)) from error
    except UnicodeEncodeError as error:
        raise Refused(Denial("the statement is not valid UTF-8", "send it as UTF-8", sqlstate="22021")) from error
    return tuple(statement.stmt for statement in statements if statement.stmt is not None)


def _trees(text: str) -> tuple[ast.RawStmt, ...]:
    """The text's trees; where it has slots, their constants are known for them. Raises ParseError."""
    slots = literals.present()
    if slots is not None and slots.text == text:
        try:
            if trees := slots.parsed(parse_sql):
                return trees
        except ParseError:
            # The error is told with the text's own words and places.
            slots.pin_all()
    return parse_sql(text)


def word_at(text: str, place: int) -> int | None:
    """Which word begins at that place of the text as it was parsed, counted from 0; None where none does."""
    if place < 0:
        return None
    slots = literals.present()
    parsed = slots.parsed_text if slots is not None and slots.text == text else text
    try:
        return next((at for at, word in enumerate(words_of(parsed)) if word.start == place), None)
    except ParseError:
        return None


# What may hide quotes from a plain look at a text: escapes, dollar quotes, comments.
_TRICKY = re.compile(r"\\|\$\w*\$|--|/\*")
_WORD = re.compile(r"\$?\w+|[^\w\s]")
_TOKEN = re.compile(r"""'(?:[^']++|'')*+'|"(?:[^"]++|"")*+"|\$?\w+|[^\w\s]""")
# `(a, b) = …` in SET: the parser gives each column a copy of what is assigned.
_SHARED = re.compile(r"\)\s*(?:=|--|/\*)")


def _check_size(text: str) -> None:
    """Refuses what would take seconds to decide about, without taking them."""
    words = sum(1 for _ in (_WORD if _TRICKY.search(text) else _TOKEN).finditer(text))
    if words > MAX_TOKENS:
        raise _too_large(f"the statement has more than {MAX_TOKENS} words and signs")
    if words * lookups(text) > most_lookups(text):
        raise _too_large("the statement has too many letters other than ASCII among too many words")


def copies(text: str) -> int:
    """An upper bound of the tokens that are in the tree more than once. Raises ParseError."""
    commas = [0]
    ended = shared = total = 0
    for token in words_of(text):
        name = token.name
        if name in _COMMENTS:
            continue
        total += 1
        if name == "ASCII_61" and ended:
            shared += ended
        ended = 0
        if name == "ASCII_40":
            commas.append(0)
        elif name == "ASCII_41" and len(commas) > 1:
            ended = commas.pop()
        elif name == "ASCII_44":
            commas[-1] += 1
    return shared * total


@dataclass(slots=True)
class _Level:
    """Inside one pair of brackets: the run of tokens since the last flat one, the deepest so far, what is stacked."""

    # Whether it is CASE … END.
    case: bool = False
    run: int = 0
    deepest: int = 0
    stacked: int = 0

    def depth(self) -> int:
        return max(self.deepest, self.run) + self.stacked


def depth(text: str) -> int:
    """An upper bound of how deep the text's syntax trees can be, without building them. Raises ParseError."""
    levels = [_Level()]
    reached = 0
    before = ""
    for token in words_of(text):
        name = token.name
        if name in _COMMENTS:
            continue
        level = levels[-1]
        # Behind a dot these are names.
        case = name if before != "ASCII_46" and name in ("CASE", "END_P") else ""
        if name in _OPENING:
            levels.append(_Level())
        elif case == "CASE":
            # An arm is a node of its own in that of the whole.
            levels.append(_Level(case=True, stacked=2))
        elif (name in _CLOSING and len(levels) > 1) or (case and level.case):
            _close(levels)
        elif name in _FLAT or name in _STACKED or (level.case and name in _ARMS):
            level.deepest, level.run = max(level.deepest, level.run), 0
            level.stacked += name in _STACKED
        elif name == "ASCII_59" and len(levels) == 1:
            reached = max(reached, level.depth())
            levels = [_Level()]
        else:
            level.run += 1
        before = name
        if len(levels) > MAX_DEPTH:
            return len(levels)
    while len(levels) > 1:
        _close(levels)
    return max(reached, levels[0].depth())


def _close(levels: list[_Level]) -> None:
    """The innermost level ends: what is around it is as deep and one more."""
    inner = levels.pop().depth() + 1
    levels[-1].run += 1
    levels[-1].deepest = max(levels[-1].deepest, levels[-1].run + inner)


def _too_large(reason: str) -> Refused:
    return Refused(Denial(reason, "split the statement, or send values as parameters or by COPY", sqlstate="54001"))


def _syntax_error(error: ParseError) -> Denial:
    message = str(error.args[0]) if error.args else "syntax error"
    return Denial(message.split(", at index")[0], "correct the statement", sqlstate="42601")
