"""All that decides about one database: what `control` streams to a sidecar, or stand-alone mode builds from files.

Combining the policies of an identity is `penstock_core.policy`; whether they fit the Database is `checks.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.database import Database
from penstock_core.resources.grant import Grant
from penstock_core.resources.model import Model, Resource
from penstock_core.resources.problems import Location, Problem, ResourceError, findings, path, suggestion
from penstock_core.resources.schema import structural
from penstock_core.resources.subject_index import SubjectIndex
from penstock_core.resources.unsupported import unsupported_in
from penstock_core.resources.vocabulary import Many

MASK_KEY_BYTES = 32


class Bundle(Model):
    """One database with every policy for it, at one moment. As JSON, one line."""

    generation: Annotated[int, Field(ge=0)]
    """A larger number is newer."""
    database: Database
    """The database."""
    policies: Many[DatabaseAccessPolicy] = ()
    """Every policy for it, of its own namespace."""
    mask_key: Annotated[str, Field(repr=False)]
    """The key of the hash masks: 32 bytes in base64. Secret."""
    grants: Many[Grant] = ()
    """Access that was given for a time, and lasts; those of other databases are not there."""

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        seen: set[str] = set()
        for policy in self.policies:
            if not policy.governs(self.database):
                raise ValueError(f"{policy.title} is not for {self.database.title}")
            if policy.name in seen:
                raise ValueError(f"{policy.title} is there twice")
            seen.add(policy.name)
            # A newer `control` may know fields that this program does not carry out: better the last good policy.
            for location, message in unsupported_in(policy.model_dump(exclude_none=True)):
                raise ValueError(f"{policy.title}: {path(location)}: {message}")
        return self

    @model_validator(mode="after")
    def _key_is_whole(self) -> Self:
        try:
            key = base64.b64decode(self.mask_key, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != MASK_KEY_BYTES:
            raise ValueError(f"maskKey must be {MASK_KEY_BYTES} bytes in base64")
        return self

    @property
    def by_subject(self) -> SubjectIndex:
        """The policies, to be found by whom they are for."""
        # A copy with other policies takes over what was cached.
        return self._index if self._index.policies is self.policies else SubjectIndex(self.policies)

    @cached_property
    def _index(self) -> SubjectIndex:
        return SubjectIndex(self.policies)

    @property
    def mask_key_bytes(self) -> bytes:
        """The key itself."""
        return base64.b64decode(self.mask_key)

    @property
    def digest(self) -> str:
        """Equal where the database and its policies say the same: whatever number they have, whoever has access for a
        time, and whatever the key. Numbers may come again for others; this does not.
        """
        key = base64.b64encode(bytes(MASK_KEY_BYTES)).decode()
        said = self.model_copy(update={"generation": 0, "mask_key": key, "grants": ()})
        return hashlib.sha256(said.to_json().encode()).hexdigest()

    def numbered(self, generation: int, mask_key: bytes) -> Self:
        """The same by another number and with another key; it is not checked once more."""
        if generation < 0 or len(mask_key) != MASK_KEY_BYTES:
            raise ValueError("a number is not negative, and a key has 32 bytes")
        return self.model_copy(update={"generation": generation, "mask_key": base64.b64encode(mask_key).decode()})

    @classmethod
    def of(
        cls, resources: Iterable[Resource], *, namespace: str, database: str, generation: int, mask_key: bytes
    ) -> Bundle:
        """The bundle of one database, of whatever resources there are. Raises ResourceError if it is not among them.

        Policies are in the order of their names and nothing has a status, so that only what matters makes a difference.
        """
        everything = list(resources)
        databases = [one for one in everything if isinstance(one, Database) and one.namespace == namespace]
        named = [one for one in databases if one.name == database]
        if len(named) != 1:
            what = "is there more than once" if named else "is not there"
            hint = "" if named else suggestion(database, [one.name for one in databases])
            raise ResourceError([Problem(f"{what}{hint}", resource=f"Database {namespace}/{database}")])
        policies = [one for one in everything if isinstance(one, DatabaseAccessPolicy) and one.governs(named[0])]
        document = {
            "generation": generation,
            "database": named[0].bare(),
            "policies": sorted((policy.bare() for policy in policies), key=lambda policy: policy.name),
            "maskKey": base64.b64encode(mask_key).decode(),
        }
        return cls._validated(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Bundle:
        """The bundle in one line of the policy stream; raises ResourceError."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise ResourceError([Problem("not a JSON document", resource="Bundle")]) from None
        return cls._validated(document)

    def to_json(self) -> str:
        """One line of JSON; equal bundles give equal lines. It holds the mask key: not for logs."""
        fields = {
            "generation": str(self.generation),
            "maskKey": json.dumps(self.mask_key),
            "database": self.database.line,
        }
        if self.grants:
            # Gates of an older version know no such field, and need none.
            granted = [one.model_dump(mode="json", exclude_none=True) for one in self.grants]
            fields["grants"] = json.dumps(granted, separators=(",", ":"), sort_keys=True)
        # Of a thousand policies one changes: the others are written already.
        fields["policies"] = f"[{','.join(policy.line for policy in self.policies)}]"
        return "{" + ",".join(f'"{name}":{fields[name]}' for name in sorted(fields)) + "}"

    @classmethod
    def _validated(cls, document: object) -> Bundle:
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise ResourceError(
                _problem(location, words) for location, words in findings(error, structural(cls))
            ) from None


def _problem(location: Location, words: str) -> Problem:
    return Problem(words, path(location), resource="Bundle")
