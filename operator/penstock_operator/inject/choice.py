"""Whether a pod gets a gate, and to which Database: as it says itself, or as its namespace has it for all.

A namespace says so by the label `penstock.dev/inject`, which the API server itself reads: pods of no other namespace
depend on control for it. What doesn't belong: what the pod is given (`admit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock_operator.inject import annotations as wishes
from penstock_operator.inject.annotations import DATABASE, INJECT, Refusal
from penstock_operator.inject.patch import Json

# What the label of a namespace says: pods get a gate unless they ask for none, or all do.
ENABLED, REQUIRED = "enabled", "required"
_FORM = f'it takes "{ENABLED}", or "{REQUIRED}" where no pod may go without a gate'
_WITHOUT = (
    "the pod goes without a gate, in a namespace whose pods get one: its statements are neither checked nor recorded"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of one pod."""

    wanted: bool
    # Empty where nobody named one.
    database: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamespaceDefault:
    """What a namespace says of its pods."""

    namespace: str
    required: bool
    database: str

    @classmethod
    def read(cls, namespace: str, metadata: Json) -> NamespaceDefault | None:
        """None where it says nothing. Raises Refusal."""
        text = (metadata.get("labels") or {}).get(INJECT)
        if text is None:
            return None
        if text not in (ENABLED, REQUIRED):
            raise Refusal(f"the label {INJECT} of the namespace {namespace} is {text!r}; {_FORM}")
        database = str((metadata.get("annotations") or {}).get(DATABASE, "")).strip()
        return cls(namespace, text == REQUIRED, database)


def choose(pod: Json, default: NamespaceDefault | None) -> Choice:
    """By the pod's own annotations, and where they say nothing by the namespace's default. Raises Refusal."""
    annotations, labels = pod["metadata"].get("annotations") or {}, pod["metadata"].get("labels") or {}
    own = annotations.get(DATABASE, "").strip()
    if default is None:
        wishes.refuse_slips(annotations, labels)
        return Choice(wishes.wants_sidecar(annotations), own)
    if INJECT in annotations and not wishes.wants_sidecar(annotations):
        return _without(default)
    if INJECT not in annotations:
        wishes.refuse_labels(labels)
    return Choice(wanted=True, database=own or _named(annotations, default))


def _without(default: NamespaceDefault) -> Choice:
    if default.required:
        raise Refusal(
            f"the namespace {default.namespace} lets no pod go without a gate ({INJECT}: {REQUIRED}); remove "
            f'{INJECT}: "false", or make the pod in another namespace'
        )
    return Choice(wanted=False, warnings=(_WITHOUT,))


def _named(annotations: Mapping[str, str], default: NamespaceDefault) -> str:
    if default.database or INJECT in annotations:
        return default.database
    raise Refusal(
        f"pods of the namespace {default.namespace} get a gate (its label {INJECT}), and neither it nor the pod says "
        f"to which Database; set the annotation {DATABASE} on the namespace, or on the pod"
    )
