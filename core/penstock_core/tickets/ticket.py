"""What gates and the collector say to each other of tickets: made for whom, for how long, and whether one is good.

What a ticket is bound to is all in `Made`, which the gate seals by a key that the collector has not: it can't make a
ticket, nor change one. What doesn't belong: how a secret is proved (`verifier.py`).
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from penstock_core.audit.chain import canonical
from penstock_core.bodies import read_body
from penstock_core.identity import MOST_ACTED_FOR, Identity, Principal, PrincipalKind, Workload
from penstock_core.tickets.verifier import Verifier

# How long a ticket is good for if its token is.
LIFE_SECONDS = 300
# A ticket is void once so many have proved the wrong secret.
MOST_TRIES = 3
# One body: an identity with as many groups as the largest token holds, all of its letters escaped.
MOST_BODY_BYTES = 256 * 1024
# Databases of one gate that a name may mean.
MOST_DATABASES = 1000
# The AuthMessage of an exchange: three messages, none of which is long.
_LONGEST_EXCHANGE = 16 * 1024

_NAME = re.compile(r"ticket-[a-z2-7]{20}")
_Base64 = Annotated[str, Field(max_length=_LONGEST_EXCHANGE * 2, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
_Text = Annotated[str, Field(min_length=1, max_length=1024)]


def is_name(text: str) -> bool:
    """Whether a user name is a ticket's: `ticket-` and twenty letters and digits of base32, 100 random bits."""
    return _NAME.fullmatch(text) is not None


def name_of(random: bytes) -> str:
    """The name of a new ticket, from at least 13 random bytes."""
    return f"ticket-{base64.b32encode(random).decode().lower()[:20]}"


def secret_of(random: bytes) -> str:
    """The secret of a new ticket: letters that need no escaping in any URL, from at least 20 random bytes."""
    return base64.b32encode(random).decode().lower()[:32]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """What the other side has sent. Raises ValueError, whose text names the field and repeats nothing of it."""
        return read_body(cls, body)

    def written(self) -> bytes:
        """As `read` takes it."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class Party(_Model):
    """A person, agent or service, as its token named it."""

    kind: PrincipalKind
    subject: _Text
    issuer: _Text
    groups: Annotated[tuple[str, ...], Field(max_length=4096)] = ()

    @classmethod
    def of(cls, principal: Principal) -> Party:
        return cls(
            kind=principal.kind, subject=principal.subject, issuer=principal.issuer, groups=principal.groups
        )  # fmt: skip

    @property
    def principal(self) -> Principal:
        return Principal(self.kind, self.subject, self.issuer, self.groups)


class Bearer(_Model):
    """For whom a ticket is: all that the token said of them, which a session with the ticket has in its place."""

    party: Party
    acts_for: Annotated[tuple[Party, ...], Field(max_length=MOST_ACTED_FOR)] = ()
    # When the token ends, and with it every session: milliseconds since the epoch.
    until_ms: Annotated[int, Field(gt=0, lt=1 << 53)]

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        self.identity(None)
        return self

    @classmethod
    def of(cls, identity: Identity, until_ms: int) -> Bearer:
        """Whom a session's token named. Raises ValueError where it named nobody."""
        if identity.principal is None:
            raise ValueError("nobody proved anything")
        acts_for = tuple(Party.of(one) for one in identity.acts_for)
        return cls(party=Party.of(identity.principal), acts_for=acts_for, until_ms=until_ms)

    def identity(self, workload: Workload | None) -> Identity:
        """The identity of a session with the ticket, in that pod. Raises ValueError for a chain that can't be."""
        return Identity(workload, self.party.principal, tuple(one.principal for one in self.acts_for))


class Salt(_Model):
    """What the collector tells of any ticket before its secret is proved."""

    salt: _Base64
    iterations: Annotated[int, Field(ge=4096, le=100_000)]

    @property
    def raw(self) -> bytes:
        return base64.b64decode(self.salt, validate=True)


class Made(_Model):
    """A ticket that a gate has made: what it is bound to, and what proves its secret."""

    # The Database that it is for.
    database: Annotated[str, Field(min_length=1, max_length=253)]
    bearer: Bearer
    # How long it is good for, by the collector's clock; and until when, by the gate's, in milliseconds since the epoch.
    seconds: Annotated[int, Field(ge=1, le=LIFE_SECONDS)]
    until_ms: Annotated[int, Field(gt=0, lt=1 << 53)]
    stored_key: _Base64
    server_key: _Base64
    # By which a gate knows again what it, or a replica, has made.
    seal: _Base64 = ""

    @model_validator(mode="after")
    def _keys_are_digests(self) -> Self:
        if any(len(key) != 32 for key in (self.verifier.stored_key, self.verifier.server_key)):
            raise ValueError("a key is of 32 bytes")
        return self

    @property
    def verifier(self) -> Verifier:
        return Verifier(*(base64.b64decode(key, validate=True) for key in (self.stored_key, self.server_key)))

    def sealed(self, name: str, key: bytes) -> Self:
        """The same as the ticket of that name, sealed."""
        return self.model_copy(update={"seal": encoded(self._digest(name, key))})

    def is_sealed(self, name: str, key: bytes) -> bool:
        """Whether it was sealed by that key, as the ticket of that name, and nothing of it is another since."""
        return hmac.compare_digest(base64.b64decode(self.seal, validate=True), self._digest(name, key))

    def _digest(self, name: str, key: bytes) -> bytes:
        content = self.model_dump(mode="json", by_alias=True, exclude={"seal"})
        return hmac.digest(key, canonical({**content, "name": name}), "sha256")


class Kept(_Model):
    """That the collector keeps a ticket: until when, by its clock, in milliseconds since the epoch."""

    until_ms: Annotated[int, Field(gt=0, lt=1 << 53)]


class Proved(_Model):
    """What a client of a gate has proved with."""

    # The Databases that it may mean by the name that it asks for.
    databases: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(max_length=MOST_DATABASES)
    ]
    # The AuthMessage, and the ClientProof.
    exchange: _Base64
    proof: _Base64

    @property
    def raw(self) -> tuple[bytes, bytes]:
        """Exchange and proof."""
        return base64.b64decode(self.exchange, validate=True), base64.b64decode(self.proof, validate=True)


Standing = Literal["granted", "wrong", "used", "expired", "void", "elsewhere"]


class Judged(_Model):
    """What has become of a ticket by that.

    granted: it is used up by now, and the session is the bearer's, if the gate finds its own seal on it. wrong: there
    is no such ticket of this gate, or the secret is another. The others are told only to who knows the secret: it was
    used before, has expired, is void because wrong secrets were tried, or is for another Database (and good there).
    """

    standing: Standing
    # The ticket as it was made; with `granted` only.
    made: Made | None = None

    @model_validator(mode="after")
    def _granted_to_somebody(self) -> Self:
        if (self.made is not None) != (self.standing == "granted"):
            raise ValueError("what is granted is granted to somebody, and nothing else is")
        return self


def encoded(raw: bytes) -> str:
    """Bytes as these messages have them."""
    return base64.b64encode(raw).decode()
