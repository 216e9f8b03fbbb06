"""What one program has sent another over HTTP, read into the model that both have of it.

A complaint names the field and says what it should be, and repeats nothing of what came: bodies hold names and secrets.
What doesn't belong: what is in a body.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

_MOST_STEPS = 6

_Body = TypeVar("_Body", bound=BaseModel)


def read_body(model: type[_Body], body: bytes) -> _Body:
    """What was sent. Raises ValueError, whose text names the field and repeats nothing of its value."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise ValueError(first_trouble(error, "the body")) from None


def first_trouble(error: ValidationError, whole: str = "it") -> str:
    """What is wrong first: the field and what it should be; `whole` stands for all of it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"][:_MOST_STEPS]) or whole
    return f"{where}: {first['msg']}"
