"""Writes docs/policies.md: every field of Database and DatabaseAccessPolicy, read from the models.

    python docs/policies.py --write      python docs/policies.py --check

What a field means, takes and is when left out comes from the models alone; what is written here is an example for each.
A field without an example is an error that names it. `documents()` makes a whole resource around each example, which a
test loads.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.database import Database
from penstock_core.resources.model import Model, Resource
from penstock_core.resources.schema import Schema, structural
from penstock_core.resources.unsupported import UNSUPPORTED
from penstock_core.resources.vocabulary import WORDS

PAGE = Path(__file__).resolve().parent / "policies.md"
KINDS: tuple[type[Resource], ...] = (Database, DatabaseAccessPolicy)
HEAD = """# Policies, field by field

Every field of the resources that a person writes, generated from the models by `make crds`. Examples are values of the
field, in YAML. `penstock validate` checks files of such resources; `kubectl explain` shows the same words. How policies
that match one identity combine is said with each field.
"""

# Kind and path → an example, in YAML. Of a field that holds other fields, these are its example, unless it is here.
EXAMPLES: dict[str, dict[str, str]] = {
    "Database": {
        "metadata.name": "shop",
        "metadata.namespace": "shop",
        "metadata.labels": "{team: sales}",
        "metadata.annotations": "{owner: ada@example.com}",
        "spec.host": "shop-db.shop.svc",
        "spec.port": "5433",
        "spec.dbname": "shop",
        "spec.tls.mode": "verify-ca",
        "spec.tls.caSecretRef.name": "shop-db-ca",
        "spec.tls.caSecretRef.key": "root.crt",
        "spec.credentialsSecretRef.name": "shop-db",
        "spec.classification[].columns": '["*.*.email", \'public."Users".mail\']',
        "spec.classification[].tag": "pii.email",
        "spec.workloads.matchLabels": "{app: web}",
        "spec.workloads.matchExpressions[].key": "tier",
        "spec.workloads.matchExpressions[]": "[{key: tier, operator: In, values: [backend, jobs]}]",
        "spec.workloads.matchExpressions[].operator": "Exists",
        "spec.workloads.matchExpressions[].values": "[backend, jobs]",
        "spec.suspended.reason": "INC-77, a password leaked",
        "spec.suspended.by": "ada@example.com",
        "spec.suspended.since": '"2030-01-31T12:00:00Z"',
    },
    "DatabaseAccessPolicy": {
        "metadata.name": "support-agents",
        "metadata.namespace": "shop",
        "metadata.labels": "{team: support}",
        "metadata.annotations": "{reviewed: in May}",
        "spec.databaseRef.name": "shop",
        "spec.subjects[].serviceAccount.name": "support-agent",
        "spec.subjects[].pod.name": "support-agent-7d9f",
        "spec.subjects[].identity.kind": "agent",
        "spec.subjects[].identity.groups": "[support]",
        "spec.subjects[].identity.subject": "ada@example.com",
        "spec.subjects[].identity.issuer": '"https://login.example"',
        "spec.mode": "observe",
        "spec.revoked.reason": "left the company",
        "spec.revoked.by": "ada@example.com",
        "spec.revoked.since": '"2030-01-31T12:00:00Z"',
        "spec.allow": "[select, insert, update, delete]",
        "spec.allowFunctions": "[app.slugify]",
        "spec.allowChannels": "[jobs]",
        "spec.masks[].tags": "[pii.email]",
        "spec.masks[].columns": '["public.users.phone", "*.*.iban"]',
        "spec.masks[].with.null": "{}",
        "spec.masks[].with.redact": "{}",
        "spec.masks[].with.constant.value": "hidden",
        "spec.masks[].with.hash": "{}",
        "spec.masks[].with.partial.keepFirst": "2",
        "spec.masks[].with.partial.keepLast": "4",
        "spec.masks[].with.partial.fill": "x",
        "spec.masks[].with.email": "{}",
        "spec.masks[].with.year": "{}",
        "spec.masks[].with.month": "{}",
        "spec.masks[].with.bucket.size": "1000",
        "spec.masks[].uniqueness": "reveal",
        "spec.masks[].write": "allow",
        "spec.masks[].writeBack": "ignore",
        "spec.masks[].unless": "\"'dpo' in identity.groups\"",
        "spec.rowOrder": "always",
        "spec.rowFilters[].table": "public.orders",
        "spec.rowFilters[].uniqueness": "reveal",
        "spec.rowFilters[].where": "\"country = 'DE'\"",
        "spec.guardrails.requireWhere": "[update, delete]",
        "spec.guardrails.denyFunctions": "[pg_sleep, public.report]",
        "spec.guardrails.maxRowsReturned": "10000",
        "spec.guardrails.maxRowsChanged": "100",
        "spec.guardrails.maxPlanCost": "1000000.0",
        "spec.guardrails.requireContext": "true",
        "spec.guardrails.statementTimeout": "30s",
        "spec.approvals[].name": "large-changes",
        "spec.approvals[].when": "\"statement.verb == 'delete'\"",
        "spec.approvals[].approvers.groups": "[dba]",
        "spec.approvals[].expiresAfter": "4h",
        "spec.approvals[].wait": "5m",
        "spec.onRequest.approvers.groups": "[dba]",
        "spec.onRequest.maxDuration": "4h",
        "spec.onRequest.expiresAfter": "8h",
        "spec.breakGlass.groups": "[on-call]",
        "spec.breakGlass.reviewers.groups": "[security]",
        "spec.breakGlass.maxDuration": "30m",
        "spec.breakGlass.reviewWithin": "48h",
        "spec.audit.sqlText": "hash",
        "spec.audit.onFailure": "continue",
    },
}
# Written by the API server or the operator.
# These come first in a file.
_HEADERS = {"api_version": 0, "kind": 1, "metadata": 2, "spec": 3}
_NOT_WRITTEN = frozenset({"metadata.uid", "metadata.resourceVersion", "metadata.generation", "status"})


class ExampleMissing(LookupError):
    """A field of the models has no example here."""


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a resource, or the fields below one."""

    kind: str
    path: str
    model: type[Model]
    schema: Schema

    @property
    def title(self) -> str:
        return f"{self.kind}: `{self.path}`" if self.path else self.kind

    @property
    def anchor(self) -> str:
        kept = "".join(one for one in self.title.lower() if one.isalnum() or one in " -_")
        return kept.replace(" ", "-")

    def fields(self) -> Iterator[tuple[str, str, Schema, type[Model] | None]]:
        """Of each field: its name, path and schema, and the model of what it holds, if it holds fields."""
        for name, info in sorted(self.model.model_fields.items(), key=lambda one: _HEADERS.get(one[0], 9)):
            alias = info.alias or name
            many = self.schema["properties"][alias].get("type") == "array"
            path = f"{self.path}.{alias}".removeprefix(".") + ("[]" if many and _model(info.annotation) else "")
            yield alias, path, self.schema["properties"][alias], _model(info.annotation)


def _model(annotation: Any) -> type[Model] | None:
    """The model in an annotation: of a list's items, of what may be left out."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for one in typing.get_args(annotation) if (found := _model(one)) is not None), None)


def places(resource: type[Resource]) -> Iterator[Place]:
    """The resource, and each part of it that has fields, from the top down."""
    yield from _below(Place(resource.__name__, "", resource, structural(resource)))


def _below(place: Place) -> Iterator[Place]:
    yield place
    for _, path, schema, model in place.fields():
        if model is not None and model.model_fields and path not in _NOT_WRITTEN:
            yield from _below(Place(place.kind, path, model, schema.get("items", schema)))


def _is_leaf(model: type[Model] | None) -> bool:
    return model is None or not model.model_fields


# ---- examples


def example(place: Place, alias: str, path: str, model: type[Model] | None) -> Any:
    """The value of a field that the page shows: its own example, or one made of what its fields have."""
    own = EXAMPLES[place.kind].get(path)
    if own is not None:
        return yaml.safe_load(own)
    if _is_leaf(model):
        raise ExampleMissing(
            f"docs/policies.py: EXAMPLES has none for {path} of {place.kind}; add one, then `make crds`"
        )
    inner = next(one for one in places(_resource(place.kind)) if one.path == path)
    filled = around(inner, None)
    return [filled] if path.endswith("[]") else filled


def around(place: Place, chosen: tuple[str, Any] | None) -> dict[str, Any]:
    """The smallest object at that place that is valid and holds the chosen field with its value."""
    required = set(place.schema.get("required", ()))
    if place.model.one_of and (chosen is None or chosen[0] not in place.model.one_of):
        required.add(place.model.one_of[0])
    found: dict[str, Any] = {}
    fields = list(place.fields())
    if not required and chosen is None:
        # Something has to be there, or it would be no example.
        required.add(fields[0][0])
    for alias, path, _, model in fields:
        if chosen is not None and alias == chosen[0]:
            found[alias] = chosen[1]
        elif alias in required:
            found[alias] = example(place, alias, path, model)
    return found


def documents() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each field's kind and path, with a resource that holds its example."""
    for resource in KINDS:
        every = {place.path: place for place in places(resource)}
        for place in every.values():
            for alias, path, _, model in place.fields():
                if path in _NOT_WRITTEN or path in ("apiVersion", "kind"):
                    continue
                held = (alias, example(place, alias, path, model))
                yield resource.__name__, path, _whole(every, place, held)


def _whole(every: dict[str, Place], place: Place, held: tuple[str, Any]) -> dict[str, Any]:
    """The resource around a field."""
    while True:
        value = around(place, held)
        # Beside which alone it is valid.
        value |= {"mode": "revoke"} if held[0] == "revoked" else {}
        value |= {"operator": "In"} if held[0] == "values" else {}
        if not place.path:
            return {"apiVersion": "penstock.dev/v1alpha1", "kind": place.kind} | value
        above, _, alias = place.path.rpartition(".")
        held = (alias.removesuffix("[]"), [value] if alias.endswith("[]") else value)
        place = every[above]


def _resource(kind: str) -> type[Resource]:
    return next(one for one in KINDS if one.__name__ == kind)


# ---- the page


def page() -> str:
    """The whole page. Raises ExampleMissing."""
    lines = [HEAD]
    for resource in KINDS:
        for place in places(resource):
            lines += [f"{'##' if not place.path else '###'} {place.title}\n", *_section(place), ""]
    return "\n".join(lines)


def _section(place: Place) -> Iterator[str]:
    yield f"{place.schema.get('description', '')}\n"
    for rule in place.schema.get("x-kubernetes-validations", ()):
        yield f"- {rule['message']}"
    if place.schema.get("x-kubernetes-validations"):
        yield ""
    yield "| field | takes | left out | meaning | example |"
    yield "|---|---|---|---|---|"
    for alias, path, schema, model in place.fields():
        required = alias in place.schema.get("required", ())
        left_out = "required" if required else _default(schema, model)
        meaning = _not_built(place.kind, path) + schema.get("description", "")
        cells = [
            f"`{alias}`",
            _takes(place, path, schema, model),
            left_out,
            meaning,
            _example(place, alias, path, model),
        ]
        yield f"| {' | '.join(map(_cell, cells))} |"


def _example(place: Place, alias: str, path: str, model: type[Model] | None) -> str:
    if path in _NOT_WRITTEN:
        return "not written by people"
    if path in ("apiVersion", "kind"):
        value = place.schema["properties"][alias]["enum"][0]
    else:
        value = example(place, alias, path, model)
    written = yaml.safe_dump({alias: value}, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return f"`{written.removeprefix('{').removesuffix('}')}`"


def _default(schema: Schema, model: type[Model] | None) -> str:
    if "default" not in schema or schema["default"] in ({}, [], ""):
        return "nothing"
    if not _is_leaf(model):
        return "as when its fields are left out"
    return f"`{json.dumps(schema['default'])}`"


def _not_built(kind: str, path: str) -> str:
    """Said before the meaning of what the gate refuses so far."""
    for one in UNSUPPORTED:
        if one.kind == kind and one.path and path.replace("[]", "").startswith(one.path.replace("[]", "")):
            return "**Not built yet: refused.** "
    return ""


def _takes(place: Place, path: str, schema: Schema, model: type[Model] | None) -> str:
    if model is not None:
        many = f"a list of up to {schema['maxItems']}: " if "maxItems" in schema else ""
        if path in _NOT_WRITTEN or not model.model_fields:
            return f"{many}`{{}}`"
        return f"{many}[its fields](#{Place(place.kind, path, model, schema).anchor})"
    return _value(schema)


def _value(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    match schema["type"]:
        case "array":
            return f"a list of up to {schema['maxItems']}, of: {_value(schema['items'])}"
        case "integer" | "number" as kind:
            noun = "a whole number" if kind == "integer" else "a number"
            low, high = (_number(schema.get(bound)) for bound in ("minimum", "maximum"))
            return noun + (f", {low} to {high}" if high is not None else f", {low} or more" if low is not None else "")
        case "string":
            words = WORDS.get(schema.get("pattern", ""), "must be text").removeprefix("must be ")
            long = f", up to {schema['maxLength']} characters" if schema.get("maxLength", 1) > 1 else ""
            return words.replace("must not hold", "text that does not hold") + long
        case "object":
            return "names with values"
        case other:
            return str(other)


def _number(bound: float | None) -> str | None:
    return f"{bound:g}" if isinstance(bound, float) else None if bound is None else str(bound)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    try:
        written = page()
    except ExampleMissing as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    if arguments.write:
        PAGE.write_text(written)
    elif not PAGE.exists() or PAGE.read_text() != written:
        print("docs/policies.md is not as the models are: run make crds", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
