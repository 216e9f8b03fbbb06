"""One condition: compiled with what it may name and do checked, then evaluated as often as needed.

It never raises when it is evaluated: what can't be evaluated is neither true nor false, and says why. What such a
condition decides is its user's to say. The CEL library is used here alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache

from cel_expr_python import cel

from penstock_core.conditions.bounds import FUNCTIONS, OPERATORS, BoundsError, check
from penstock_core.conditions.checked import UnreadableError, read
from penstock_core.conditions.names import CelType, Scope

# The most characters, as the models say it too.
LONGEST = 2048
_COMPILED = 1024
_FINDING = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_TOO_DEEP = re.compile(r"recursion", re.IGNORECASE)
_TYPES: dict[CelType, cel.Type] = {
    "string": cel.Type.STRING,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "timestamp": cel.Type.TIMESTAMP,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
}
_TYPE_WORDS = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration", "null_type": "null"}


class ConditionError(ValueError):
    """The text is no condition; the message is one line that says what is wrong, where, and what to do."""


class Truth(StrEnum):
    """What evaluating a condition comes to."""

    TRUE = "true"
    FALSE = "false"
    # It names what there is not: for this identity, or in these circumstances.
    ABSENT = "absent"
    # It could not be evaluated.
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition comes to, and why it could not be evaluated."""

    truth: Truth
    why: str = ""

    @property
    def holds(self) -> bool:
        return self.truth is Truth.TRUE


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was found to be one."""

    text: str
    # Of what is in the table of names, what it names.
    names: frozenset[str]
    _expression: cel.Expression = field(repr=False, compare=False)

    @property
    def depends_on_time(self) -> bool:
        """Whether it may come to something else although nothing but the time has changed."""
        return "now" in self.names

    def evaluate(self, values: Mapping[str, object]) -> Verdict:
        """What it comes to by these values. Never raises."""
        known = {name: values[name] for name in self.names if name in values}
        trouble, found = _evaluate(self._expression, known)
        if not trouble:
            return Verdict(Truth.TRUE if found else Truth.FALSE)
        missing = sorted(self.names - known.keys())
        if missing:
            return Verdict(Truth.ABSENT, f"there is no {' and no '.join(missing)}")
        return Verdict(Truth.ERROR, trouble)


@lru_cache(maxsize=_COMPILED)
def condition(text: str, scope: Scope) -> Condition:
    """The condition that a text is. Raises ConditionError."""
    if len(text) > LONGEST:
        raise ConditionError(f"must have at most {LONGEST} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConditionError("holds half a character; write it out") from None
    environment = _environment(scope)
    try:
        expression = environment.compile(text)
    except Exception as error:  # the library has one class for all, and not a documented one
        raise ConditionError(_in_words(str(error), text, scope)) from None
    kind = expression.return_type()
    if kind != cel.Type.BOOL:
        raise ConditionError(f"must be true or false, and is {kind.name().lower()}; compare it with something")
    names = _checked_names(expression, text, scope)
    if not names:
        known = ", ".join(sorted(scope.roots))
        raise ConditionError(f"names nothing that it could depend on; it may name {known}")
    return Condition(text, names, expression)


def _checked_names(expression: cel.Expression, text: str, scope: Scope) -> frozenset[str]:
    """What of the table it names, after all of it was looked at."""
    try:
        tree = read(expression.serialize())
        check(tree, scope.roots, _trial)
    except UnreadableError as error:
        raise ConditionError(f"can't be checked by this version: {error}; report it to the Penstock project") from None
    except BoundsError as error:
        raise ConditionError(f"{_place(text, error.offset)}{error.words}") from None
    known = {name.path for name in scope.names}
    return frozenset(node.name for node in tree.walk() if node.kind == "name" and node.name in known)


@cache
def _environment(scope: Scope) -> cel.Env:
    return cel.NewEnv(variables={name.path: _TYPES[name.type] for name in scope.names})


@cache
def _bare_environment() -> cel.Env:
    return cel.NewEnv()


def _trial(text: str) -> str:
    """Why an expression without names can't be evaluated; empty if it can."""
    try:
        expression = _bare_environment().compile(text)
    except Exception as error:
        return _one_line(str(error))
    return _evaluate(expression, {})[0]


def _evaluate(expression: cel.Expression, known: dict[str, object]) -> tuple[str, bool]:
    """Why it can't be evaluated, or nothing; and whether it is true."""
    try:
        value = expression.eval(data=known)
        found = value.value()
    except Exception as error:
        return _one_line(str(error)) or "it can't be evaluated", False
    if value.type() == cel.Type.BOOL and isinstance(found, bool):
        return "", found
    return _one_line(str(found)) or "it can't be evaluated", False


def _one_line(words: str) -> str:
    """The library's words without their code, fit for one line."""
    words = re.sub(r"^[A-Z_]+: ", "", words.split("\n", 1)[0])
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in words)[:200]


# The library's findings, in our words.


def _in_words(found: str, text: str, scope: Scope) -> str:
    if _TOO_DEEP.search(found) is not None:
        return "is nested too deeply; split it, or use in with a list"
    finding = _FINDING.search(found)
    if finding is None:
        return "can't be read as CEL; write one such as 'dpo' in identity.groups"
    line, column, words = int(finding[1]), int(finding[2]), finding[3]
    offset = sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1
    place = _place(text, offset)
    if (undeclared := _UNDECLARED.match(words)) is not None:
        called = text[offset : offset + 1] == "("
        return place + (_unknown_function(undeclared[1]) if called else _unknown_name(undeclared[1], scope))
    if (overload := _OVERLOAD.match(words)) is not None:
        types = " and ".join(map(_type_words, overload[2].split(", ")))
        applied = OPERATORS.get(overload[1], overload[1])
        return f"{place}{applied} can't be applied to {types}; use values of the types that it takes"
    if words.startswith("Syntax error"):
        return f"{place}can't be read as CEL from there on; write one such as 'dpo' in identity.groups"
    return f"{place}can't be used: {_one_line(words)}"


def _unknown_name(path: str, scope: Scope) -> str:
    known = [name.path for name in scope.names]
    if why := scope.why_absent(path):
        return f"{path} can't be used in {scope.holder}: {why}"
    below = [one for one in known if one.startswith(f"{path}.")]
    if below:
        return f"{path} is no value by itself; use {', '.join(below)}"
    listed = f"; it may name {', '.join(known)}"
    return f"{path} is not known{_guess(path, known) or listed}"


def _unknown_function(name: str) -> str:
    known = sorted(FUNCTIONS | {"exists", "all", "exists_one"})
    listed = f"; there are: {', '.join(known)}"
    return f"the function {name} is not known{_guess(name, known) or listed}"


def _guess(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _type_words(name: str) -> str:
    return _TYPE_WORDS.get(name, name)


def _place(text: str, offset: int) -> str:
    if offset < 0:
        return ""
    before = text[:offset]
    line, column = before.count("\n") + 1, offset - before.rfind("\n")
    return f"column {column}: " if "\n" not in text else f"line {line}, column {column}: "
