"""What every resource model has in common: strictness, camelCase names, rules across fields, metadata and status.

What doesn't belong: the fields of one kind of resource.
"""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from penstock_core.resources.vocabulary import REASON, Many, Namespace, ResourceName, Timestamp

GROUP = "penstock.dev"
API_VERSION = "penstock.dev/v1alpha1"

# What the API server itself writes into metadata, and nothing here needs.
_SERVERS_OWN = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "managedFields",
    "ownerReferences",
    "selfLink",
)


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """A rule across fields, as the API server evaluates it (CEL), and what it says when the rule is broken."""

    cel: str
    message: str

    def document(self) -> dict[str, str]:
        """The rule as in `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}


class Model(BaseModel):
    """Base of every part of a resource: unknown fields and wrong types are refused, nothing changes after reading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # Names (as in YAML) of the fields of which exactly one must be given.
    one_of: ClassVar[tuple[str, ...]] = ()
    # Further rules for the API server; a validator of the same class says the same in Python, with the same message.
    rules: ClassVar[tuple[ValidationRule, ...]] = ()

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.one_of and len(self.chosen()) != 1:
            raise ValueError(f"{_one_of_message(self.one_of)}; found {' and '.join(self.chosen()) or 'none'}")
        return self

    def chosen(self) -> tuple[str, ...]:
        """Those of the `one_of` fields that are given."""
        fields = type(self).model_fields
        return tuple(
            alias
            for name, field in fields.items()
            if (alias := field.alias or name) in self.one_of and getattr(self, name) is not None
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        rules = [rule.document() for rule in cls.rules]
        if cls.one_of:
            given = ", ".join(f"has(self.{cel_name(name)})" for name in cls.one_of)
            rules.insert(
                0, ValidationRule(f"[{given}].exists_one(given, given)", _one_of_message(cls.one_of)).document()
            )
        if rules:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = rules
        return schema


def cel_name(name: str) -> str:
    """A field's name as CEL has it: names that are CEL's own words are written with underscores around them."""
    return f"__{name}__" if name in {"null", "true", "false", "in", "namespace", "function", "var", "if"} else name


def _one_of_message(names: tuple[str, ...]) -> str:
    return f"give exactly one of {', '.join(names)}"


class Metadata(Model):
    """Name and namespace, and what the API server adds that is of use here."""

    name: ResourceName
    """The resource's name."""
    namespace: Namespace = "default"
    """The namespace that the resource is in and has its effect in."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels, of no meaning to Penstock."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations, of no meaning to Penstock."""
    uid: str = ""
    """Given by the API server."""
    resource_version: str = ""
    """Given by the API server."""
    generation: int = 0
    """Counts the changes of spec; given by the API server."""

    @model_validator(mode="before")
    @classmethod
    def _without_what_the_server_adds(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if key not in _SERVERS_OWN}


class Condition(Model):
    """One thing that is or is not so about a resource, in the words of the operator."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What it is about, Ready for one."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the resource that this was found of."""
    last_transition_time: Timestamp
    """When the status last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=REASON)]
    """Why, in one word for programs."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in words for people."""


class Status(Model):
    """What the operator found out about the resource."""

    # A status written by another version must not make the resource unreadable.
    model_config = ConfigDict(extra="ignore")

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the resource that the status is about."""
    conditions: Annotated[
        Many[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    """Conditions, Ready among them."""


class NameReference(Model):
    """Another resource of the same namespace."""

    name: ResourceName
    """Its name."""


class Resource(Model):
    """What all resources have: a name in a namespace."""

    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def title(self) -> str:
        """The resource as messages name it: `Database shop/orders`."""
        return f"{type(self).__name__} {self.namespace}/{self.name}"

    @property
    def line(self) -> str:
        """All of it as one line of JSON, the same for equal resources; written once, as it is a part of many."""
        parts, text = self._written
        # A copy with other fields takes over what was written.
        return text if all(map(operator.is_, parts, self._parts())) else self._write()

    @cached_property
    def _written(self) -> tuple[tuple[object, ...], str]:
        return self._parts(), self._write()

    def _parts(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in type(self).model_fields)

    def _write(self) -> str:
        return json.dumps(self.model_dump(mode="json", exclude_none=True), separators=(",", ":"), sort_keys=True)

    def bare(self) -> Self:
        """The resource without what only the API server and the operator care for: status, labels, versions."""
        old = self.metadata
        theirs = getattr(self, "status", None) or old.labels or old.annotations or old.uid or old.resource_version
        if not theirs:
            # Of a thousand policies one changes: the others stay the same objects.
            return self
        metadata = Metadata(name=self.name, namespace=self.namespace, generation=old.generation)
        return self.model_copy(update={"metadata": metadata, "status": None})
