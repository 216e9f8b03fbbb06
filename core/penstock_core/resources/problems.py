"""What is wrong with a resource, said to the person who wrote it: where, and in plain words.

pydantic's findings are rewritten here; its own texts and its tracebacks never reach anybody.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from penstock_core.resources.schema import Schema, at
from penstock_core.resources.vocabulary import WORDS

Location = tuple[str | int, ...]
# Each is put into words and compared with what is known; nobody reads more of one resource.
MOST_FINDINGS = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at one place."""

    message: str
    # The path of the field: `spec.masks[0].with`; "" for the resource or the file as a whole.
    field: str = ""
    file: str = ""
    # Line in the file, from 1; 0 where the resource does not come from a file.
    line: int = 0
    # The resource as messages name it, where it is known: `Database shop/orders`.
    resource: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else self.resource
        return ": ".join(filter(None, (place, self.field, self.message)))


class ResourceError(ValueError):
    """Resources cannot be used as they are; `problems` says all that is wrong, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def path(location: Location) -> str:
    """A location as people write it: `spec.masks[0].tags`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in location)
    return text.removeprefix(".")


def shown(text: object, limit: int = 60) -> str:
    """What somebody wrote, fit for one line of a message."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))
    return line if len(line) <= limit else f"{line[:limit]}…"


def suggestion(word: object, known: Iterable[str]) -> str:
    """`; did you mean …?` if a known word is close to what was written, else nothing."""
    lowered = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=0.7)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def findings(error: ValidationError, schema: Schema) -> list[tuple[Location, str]]:
    """What pydantic found, as places and plain words."""
    found = []
    errors = error.errors(include_url=False)
    for one in errors[:MOST_FINDINGS]:
        location: Location = one["loc"]
        # pydantic does not count the items that are wrong: a list of one such item is not "empty".
        if one["type"] == "too_short" and any(other["loc"][:-1] == location for other in errors[:MOST_FINDINGS]):
            continue
        found.append((location, _in_words(one["type"], location, one.get("ctx", {}), one["input"], schema)))
    if len(errors) > MOST_FINDINGS:
        found.append(((), f"and {len(errors) - MOST_FINDINGS} more; mend these first"))
    return found


def _in_words(kind: str, location: Location, ctx: Mapping[str, Any], given: object, schema: Schema) -> str:
    if kind == "extra_forbidden":
        return _unknown_field(location, schema)
    if kind == "literal_error":
        return _not_among(at(schema, location) or {}, given)
    if kind == "value_error":
        return str(ctx["error"])
    if kind == "twice":
        return f"{shown(ctx['item'])} is in the list twice"
    words = _WORDS.get(kind, "this value is not possible here")
    return words(ctx) if callable(words) else words


def _unknown_field(location: Location, schema: Schema) -> str:
    around = at(schema, location[:-1]) or {}
    known = list(around.get("properties", ()))
    guess = suggestion(location[-1], known)
    listed = "" if guess or not known else f"; known here: {', '.join(known)}"
    return f"unknown field{guess or listed}"


def _not_among(schema: Schema, given: object) -> str:
    values = [str(value) for value in schema.get("enum", ())]
    wish = f"must be {values[0]}" if len(values) == 1 else f"must be one of {', '.join(values)}"
    if isinstance(given, bool) or given is None or isinstance(given, list | dict):
        return wish
    return f"{shown(given)} is not known: {wish}{suggestion(given, values)}"


def _counted(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_Words = str | Callable[[Mapping[str, Any]], str]

_WORDS: Final[dict[str, _Words]] = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes if YAML takes it for something else",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list; leave the field out if there is nothing to say",
    "dict_type": "must hold names and values",
    "model_type": "must hold named fields, or {} where there are none to give",
    "string_too_short": lambda ctx: (
        "must not be empty"
        if ctx["min_length"] == 1
        else f"must have at least {_counted(ctx['min_length'], 'character')}"
    ),
    "string_too_long": lambda ctx: f"must have at most {_counted(ctx['max_length'], 'character')}",
    "string_pattern_mismatch": lambda ctx: WORDS[ctx["pattern"]],
    "too_short": lambda ctx: (
        "must not be an empty list"
        if ctx["min_length"] == 1
        else f"must have at least {_counted(ctx['min_length'], 'item')}"
    ),
    "too_long": lambda ctx: f"must have at most {_counted(ctx['max_length'], 'item')}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
}
