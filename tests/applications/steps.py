"""What an application reports of its steps, and what counts as a difference between its runs.

Which differences are excused is `listed.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tests.conformance.stage import StageError

# By phase and name: "use: log in".
Steps = Mapping[str, "Step"]


class ReportError(StageError):
    """An application's output is not as agreed; the message says where."""


class Step(BaseModel):
    """One step as an application reports it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: Annotated[str, Field(min_length=1)]
    ok: bool
    # What it showed: the same whenever and wherever it runs.
    shows: str = ""
    error: str = ""


MISSING = Step(step="(missing)", ok=False, error="the step did not run")


def read(path: Path, phase: str) -> dict[str, Step]:
    """The steps in an application's output. Raises ReportError."""
    found: dict[str, Step] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            step = Step.model_validate_json(line)
        except ValidationError:
            raise ReportError(f"{path}, line {number} is no step: {line[:200]}") from None
        name = f"{phase}: {step.step}"
        if name in found:
            raise ReportError(f"{path}, line {number}: a second step {name!r}")
        found[name] = step
    return found


def failed(steps: Steps) -> dict[str, str]:
    """The steps that are not ok, with their errors."""
    return {name: step.error or "it gave no error" for name, step in steps.items() if not step.ok}


def differences(direct: Steps, unmasked: Steps) -> dict[str, str]:
    """The steps that do not do through the gate what they do direct, with what is wrong."""
    found = failed({name: unmasked.get(name, MISSING) for name in direct})
    for name, step in unmasked.items():
        if name not in direct:
            found[name] = "the step did not run direct"
        elif name not in found and step.shows != direct[name].shows:
            found[name] = f"shows {_beginning(step.shows, direct[name].shows)}"
    return found


def _beginning(got: str, wanted: str) -> str:
    """Where two texts part."""
    same = next((at for at, (one, other) in enumerate(zip(got, wanted, strict=False)) if one != other), None)
    start = max(0, (min(len(got), len(wanted)) if same is None else same) - 20)
    return f"…{got[start : start + 80]!r}, and direct …{wanted[start : start + 80]!r}"


def disclosed(steps: Steps, secrets: Iterable[str]) -> dict[str, str]:
    """The steps that show a secret, in what they show or in their error."""
    return {
        name: f"shows the secret {secret!r}"
        for name, step in steps.items()
        for secret in secrets
        if secret in step.shows or secret in step.error
    }


def toothless(direct: Steps, secrets: Sequence[str]) -> list[str]:
    """Secrets that no step shows even direct: that they stay hidden would prove nothing."""
    return [secret for secret in secrets if not any(secret in step.shows for step in direct.values())]
