"""The CustomResourceDefinitions, made from the models: `python -m penstock_core.resources.crd [DIRECTORY …]`.

Without a directory they are printed, for `kubectl apply --server-side -f -`; `make crds` writes them where they are
kept, and a test fails when what is kept is not what the models say. The structural schema itself is `schema.py`.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.access_request import AccessRequest
from penstock_core.resources.database import Database
from penstock_core.resources.model import API_VERSION, GROUP, Resource, ValidationRule, cel_name
from penstock_core.resources.schema import Schema, at, structural
from penstock_core.resources.unsupported import UNSUPPORTED, Unsupported

_HEADER = "# Made from the models in core/penstock_core/resources by `make crds`; changes made here are lost.\n"
_READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    # 0 is always shown, 1 with `-o wide`.
    priority: int = 0

    def document(self) -> dict[str, Any]:
        shown = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return shown | ({"priority": self.priority} if self.priority else {})


_AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
_STATE = (PrinterColumn("Ready", f"{_READY}.status"), PrinterColumn("Reason", f"{_READY}.reason"))
_STAGES = tuple(
    PrinterColumn(stage, f'.status.conditions[?(@.type=="{stage}")].status', priority=priority)
    for stage, priority in (("Accepted", 1), ("Connected", 0), ("Classified", 1), ("Enforced", 0))
)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says besides the schema."""

    model: type[Resource]
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[PrinterColumn, ...] = field(default=())

    def document(self, unsupported: Iterable[Unsupported]) -> dict[str, Any]:
        """The CRD as an object for the API server."""
        kind = self.model.__name__
        version = {
            "name": API_VERSION.rpartition("/")[2],
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [column.document() for column in (*self.columns, _AGE)],
            "schema": {"openAPIV3Schema": _schema(self.model, [row for row in unsupported if row.kind == kind])},
        }
        names = {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": self.plural,
            "singular": kind.lower(),
            "shortNames": list(self.short_names),
            "categories": ["penstock"],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "penstock"}},
            "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
        }


DEFINITIONS = (
    Definition(
        Database,
        "databases",
        ("pgdb",),
        (
            *_STATE,
            *_STAGES,
            PrinterColumn("Pods", ".status.pods.governed.count", "integer"),
            PrinterColumn("Host", ".spec.host"),
            PrinterColumn("Database", ".spec.dbname"),
            PrinterColumn("Suspended", ".spec.suspended.reason"),
            PrinterColumn("TLS", ".spec.tls.mode", priority=1),
            PrinterColumn("Policies", ".status.policies", "integer", priority=1),
        ),
    ),
    Definition(
        DatabaseAccessPolicy,
        "databaseaccesspolicies",
        ("dap",),
        (
            *_STATE,
            *_STAGES,
            PrinterColumn("Database", ".spec.databaseRef.name"),
            PrinterColumn("Mode", ".spec.mode"),
            PrinterColumn("Pods", ".status.pods", "integer"),
            PrinterColumn("Allow", ".spec.allow", priority=1),
        ),
    ),
    Definition(
        AccessRequest,
        "accessrequests",
        ("areq",),
        (
            PrinterColumn("Decision", ".status.decision"),
            PrinterColumn("By", ".status.decidedBy"),
            PrinterColumn("Database", ".spec.databaseRef.name"),
            PrinterColumn("Policy", ".spec.heldBy.policy"),
            # As text: kubectl shows dates as ages, and this one lies ahead.
            PrinterColumn("Expires", ".spec.expiresAt"),
            PrinterColumn("Used", ".status.consumedAt", "date", priority=1),
        ),
    ),
)


def definitions(unsupported: Iterable[Unsupported] = UNSUPPORTED) -> dict[str, str]:
    """Each file's name and text."""
    rows = tuple(unsupported)
    return {f"{one.plural}.yaml": _HEADER + _yaml(one.document(rows)) for one in DEFINITIONS}


def _schema(model: type[Resource], unsupported: list[Unsupported]) -> Schema:
    schema = copy.deepcopy(structural(model))
    # The API server knows what is in the first three.
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **{name: part for name, part in schema["properties"].items() if name in {"spec", "status"}},
    }
    schema["required"] = ["spec"]
    for row in unsupported:
        steps, rules = _refusal(row)
        field, holder = at(schema, steps), at(schema, steps[:-1])
        if field is None or holder is None:
            raise LookupError(f"{row.kind} has no field {row.path}, which is in the table of unsupported fields")
        field["description"] = f"{field['description']} Not supported yet."
        (holder if steps else field).setdefault("x-kubernetes-validations", []).extend(rules)
    complete: Schema = _without_empty_defaults(schema)
    return complete


def _refusal(row: Unsupported) -> tuple[tuple[str | int, ...], list[dict[str, str]]]:
    """The way to an unsupported field, and the rules by which it is refused."""
    steps: list[str | int] = []
    for step in row.path.split(".") if row.path else ():
        steps += [step.removesuffix("[]"), 0] if step.endswith("[]") else [step]
    if not steps:
        return (), [ValidationRule("false", row.message).document()]
    rule = ValidationRule(f"!has(self.{cel_name(row.field)})", row.message).document()
    return tuple(steps), [rule | {"fieldPath": f".{row.field}"}]


def _without_empty_defaults(node: Any) -> Any:
    """The schema without defaults that say nothing: the API server would write them into every object."""
    if isinstance(node, list):
        return [_without_empty_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _without_empty_defaults(value) for key, value in node.items()}
    if isinstance(result.get("type"), str) and "default" in result:
        default = result.pop("default")
        if isinstance(default, dict):
            default = {key: value for key, value in default.items() if value not in ([], "", {})}
        if default not in ([], "", {}):
            result["default"] = default
    return result


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=118, allow_unicode=True)


def main(arguments: list[str]) -> None:
    """Write every file into each directory, or print them all."""
    files = definitions()
    if not arguments:
        sys.stdout.write("---\n".join(files.values()))
    for directory in map(Path, arguments):
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
