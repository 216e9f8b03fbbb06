"""Whether a pod gets a gate, and to which Databases: as it says itself, or as its namespace has it for all.

A namespace says so by the label `penstock.dev/inject`, which the API server itself reads: pods of no other namespace
depend on control for it. What doesn't belong: what the pod is given (`admit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock_core.resources import Database
from penstock_operator.inject import annotations as wishes
from penstock_operator.inject.annotations import DATABASE, INJECT, Refusal
from penstock_operator.inject.patch import Json

# What the label of a namespace says: pods get a gate that a Database selects, all unless they ask for none, or all.
SELECTED, ENABLED, REQUIRED = "selected", "enabled", "required"
_FORM = f'it takes "{ENABLED}", "{REQUIRED}" where no pod may go without a gate, or "{SELECTED}"'
_WITHOUT = (
    "the pod goes without a gate, in a namespace whose pods get one: its statements are neither checked nor recorded"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of one pod."""

    wanted: bool
    # In their order; empty where nobody named one.
    databases: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamespaceDefault:
    """What a namespace says of its pods."""

    namespace: str
    text: str
    databases: tuple[str, ...]

    @classmethod
    def read(cls, namespace: str, metadata: Json) -> NamespaceDefault | None:
        """None where it says nothing. Raises Refusal."""
        text = (metadata.get("labels") or {}).get(INJECT)
        if text is None:
            return None
        if text not in (SELECTED, ENABLED, REQUIRED):
            raise Refusal(f"the label {INJECT} of the namespace {namespace} is {text!r}; {_FORM}")
        return cls(namespace, text, wishes.listed(str((metadata.get("annotations") or {}).get(DATABASE, ""))))


def choose(pod: Json, default: NamespaceDefault | None, databases: Mapping[str, Database | None]) -> Choice:
    """By the pod's own annotations, and where they say nothing by its namespace's default. Raises Refusal.

    `databases`: those of the namespace, by name; None stands for one that is not valid.
    """
    annotations, labels = pod["metadata"].get("annotations") or {}, pod["metadata"].get("labels") or {}
    own = wishes.listed(annotations.get(DATABASE, ""))
    if default is None:
        wishes.refuse_slips(annotations, labels)
        return Choice(wishes.wants_sidecar(annotations), own)
    selecting = _selecting(labels, databases, default)
    if INJECT in annotations and not wishes.wants_sidecar(annotations):
        return _without(default, selecting)
    unnamed = [name for name in selecting if name not in own]
    if own and unnamed:
        raise Refusal(
            f"{_select(unnamed)}, and its annotation {DATABASE} is {', '.join(own)}; name "
            f"{'it' if len(unnamed) == 1 else 'them'} there, too, take the annotation away, or change the pod's labels"
        )
    if default.text == SELECTED and not selecting:
        wishes.refuse_slips(annotations, labels)
        return Choice(INJECT in annotations, own or default.databases)
    if INJECT not in annotations:
        wishes.refuse_labels(labels)
    return Choice(True, own or _ordered(selecting, default) or _named(annotations, default))


def _selecting(
    labels: Mapping[str, str], databases: Mapping[str, Database | None], default: NamespaceDefault
) -> tuple[str, ...]:
    """The Databases that select a pod with these labels."""
    found = []
    for name, database in sorted(databases.items()):
        if database is None:
            # Where nobody else would have the pod get a gate, not knowing must not let it go without.
            if default.text == SELECTED:
                raise Refusal(
                    f"the Database {name} is not valid, so that nobody knows whether it selects this pod "
                    f"(spec.workloads); kubectl describe database {name}"
                )
        elif database.spec.workloads is not None and database.spec.workloads.selects(labels):
            found.append(name)
    return tuple(found)


def _ordered(selecting: Sequence[str], default: NamespaceDefault) -> tuple[str, ...]:
    """The first one has the variables that applications read by themselves, and is nobody's by chance."""
    order = tuple(name for name in default.databases if name in selecting)
    if len(selecting) > 1 and len(order) < len(selecting):
        raise Refusal(
            f"{_select(selecting)}, and nobody says which comes first, the one that PGHOST and PGPORT lead "
            f"to; list them in the annotation {DATABASE} of the pod or its namespace, in that order, or narrow their "
            "selectors"
        )
    return order if len(selecting) > 1 else tuple(selecting)


def _select(names: Sequence[str]) -> str:
    """Who selects it, in words."""
    if len(names) == 1:
        return f"the Database {names[0]} selects this pod (spec.workloads)"
    return f"the Databases {', '.join(names)} all select this pod (spec.workloads)"


def _without(default: NamespaceDefault, selecting: Sequence[str]) -> Choice:
    if selecting:
        raise Refusal(
            f'{_select(selecting)}, which then has no way out; remove {INJECT}: "false", or change its labels'
        )
    if default.text == REQUIRED:
        raise Refusal(
            f"the namespace {default.namespace} lets no pod go without a gate ({INJECT}: {REQUIRED}); remove "
            f'{INJECT}: "false", or make the pod in another namespace'
        )
    return Choice(wanted=False, warnings=(_WITHOUT,) if default.text == ENABLED else ())


def _named(annotations: Mapping[str, str], default: NamespaceDefault) -> tuple[str, ...]:
    if default.databases or INJECT in annotations:
        return default.databases
    raise Refusal(
        f"pods of the namespace {default.namespace} get a gate (its label {INJECT}), and neither it nor the pod says "
        f"to which Database; set the annotation {DATABASE} on the namespace, or on the pod"
    )
