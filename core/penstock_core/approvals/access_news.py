"""What gates and whoever holds requests tell each other of access for a time: what can be asked for, and what lasts.

A gate asks again and again. It is answered when something else lasts than it knows of, or when it has waited long
enough; one that hears nothing for a time lets all access lapse. What doesn't belong: HTTP, and what a grant is worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from penstock_core.bodies import read_body
from penstock_core.resources.grant import Grant, Offer
from penstock_core.resources.model import Model, NameReference
from penstock_core.resources.vocabulary import Claim, Many, Namespace

# How long an answer may be waited for, in seconds; and after how long without one a gate lets access lapse.
MOST_WAIT = 10.0
LAPSES_AFTER = 45.0
MOST_NEWS_BYTES = 4 * 1024 * 1024


class AskingNews(Model):
    """What a gate says, and asks."""

    database_ref: NameReference
    """The Database that it is for."""
    namespace: Namespace
    """The namespace that the Database is in; a pod's is what its token proves."""
    offers: Annotated[Many[Offer], Field(max_length=512)] = ()
    """The policies that can be asked for."""
    issuers: Annotated[Many[Claim], Field(max_length=64)] = ()
    """Whose tokens it takes."""
    known: Annotated[str, Field(max_length=64)] = ""
    """The digest of what it knows of; empty at first."""

    @classmethod
    def read(cls, body: bytes) -> AskingNews:
        """What was sent. Raises ValueError, whose text names the field and repeats nothing of its value."""
        return read_body(cls, body)


class News(Model):
    """What lasts now."""

    grants: Many[Grant] = ()
    """Access to the Database that was given, and lasts."""
    digest: Annotated[str, Field(max_length=64)]
    """Stands for these."""

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> News:
        """The news of these grants, in an order of their own."""
        found = tuple(sorted(grants, key=lambda one: one.request))
        digest = hashlib.sha256()
        for one in found:
            digest.update(one.model_dump_json().encode() + b"\n")
        return cls(grants=found, digest=digest.hexdigest())
