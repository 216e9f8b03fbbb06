"""The resource `Database`: where a database is, how to log in to it, and what in it is sensitive."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from penstock_core.resources.model import Model, NameReference, Resource, Status, ValidationRule
from penstock_core.resources.pod_selector import PodSelector
from penstock_core.resources.suspension import Suspension
from penstock_core.resources.vocabulary import (
    HEX,
    ColumnPattern,
    DatabaseName,
    Distinct,
    Host,
    Many,
    Port,
    ResourceName,
    SecretKey,
    Tag,
)

# As libpq names them. Its `allow` and `prefer` are left out: they fall back to plain text without a word.
TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]

_CA_WITHOUT_CHECK = (
    "caSecretRef is only used by the modes verify-ca and verify-full; choose one of them or leave it out"
)


class CertificateReference(Model):
    """Where the certificate of an authority is kept."""

    name: ResourceName
    """The Secret's name."""
    key: SecretKey = "ca.crt"
    """The key in the Secret that holds the certificate (PEM)."""


class Tls(Model):
    """How the connection to PostgreSQL is protected."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("!has(self.caSecretRef) || self.mode in ['verify-ca', 'verify-full']", _CA_WITHOUT_CHECK),
    )

    mode: TlsMode = "verify-full"
    """As libpq's sslmode: `disable` is plain text, `require` encrypts without checking who answers, `verify-ca` checks
    the server's certificate, `verify-full` also that it is for this host."""
    ca_secret_ref: CertificateReference | None = None
    """The authority that signed the server's certificate; left out, the authorities that the system trusts."""

    @model_validator(mode="after")
    def _authority_is_used(self) -> Self:
        if self.ca_secret_ref is not None and self.mode not in {"verify-ca", "verify-full"}:
            raise ValueError(_CA_WITHOUT_CHECK)
        return self


class Classification(Model):
    """Columns that hold one kind of sensitive data."""

    columns: Annotated[Many[ColumnPattern], Field(min_length=1, max_length=256), Distinct()]
    """Patterns schema.table.column, in which each part is a name or `*`: `public.customers.email`, `*.*.email`. Names
    with capitals or other characters stand in double quotes, as in SQL."""
    tag: Tag
    """What kind of data it is, a word of your own for policies to refer to: pii.email, pci.pan."""


class DatabaseSpec(Model):
    """Where the database is and what in it is sensitive."""

    host: Host
    """The server's host name or address."""
    port: Port = 5432
    """The server's port."""
    dbname: DatabaseName
    """The database's name within the server."""
    tls: Tls = Tls()
    """How the connection to the server is protected; left out, the server's certificate must be for this host."""
    credentials_secret_ref: NameReference
    """The Secret with the keys username and password that the proxy logs in with. Only the proxy mounts it."""
    classification: Annotated[Many[Classification], Field(max_length=256)] = ()
    """What in the database is sensitive."""
    workloads: PodSelector | None = None
    """Pods of the namespace that get a gate to this database without an annotation of theirs, where the namespace has
    the label `penstock.dev/inject` (docs/annotations.md). A pod that several Databases
    select has a gate to each, once its annotations or its namespace's say which is first."""
    suspended: Suspension | None = None
    """While it is there, nobody has access, whatever policies say: all sessions are ended at once, with what they run
    cancelled, and none begins. `kubectl penstock suspend` writes it; docs/kubectl.md."""


class PodsNamed(Model):
    """Some of the pods, the first of them by name."""

    model_config = ConfigDict(extra="ignore")

    count: Annotated[int, Field(ge=0)] = 0
    """How many there are."""
    names: Annotated[Many[ResourceName], Field(max_length=10)] = ()
    """Names of the first."""


class GovernedPods(Model):
    """Pods with a gate for the database."""

    model_config = ConfigDict(extra="ignore")

    governed: PodsNamed = PodsNamed()
    """All that run, those of gateways among them."""
    stale: PodsNamed = PodsNamed()
    """Those that decide by other policies than are in effect."""
    unreachable: PodsNamed = PodsNamed()
    """Those that control does not reach, so that they learn of no change."""
    outdated: PodsNamed = PodsNamed()
    """Those with other Secrets than the Database names, until they are restarted."""
    around: PodsNamed = PodsNamed()
    """Those with sessions that go around their gate."""
    quiet: PodsNamed = PodsNamed()
    """Those without a session through their gate for a long time, though it is ready."""


class DatabaseStatus(Status):
    """What the operator found out about the database."""

    pods: GovernedPods | None = None
    """The pods with a gate for it."""

    policies: Annotated[int, Field(ge=0)] | None = None
    """How many policies are in effect for the database."""
    policy_generation: Annotated[int, Field(ge=0)] | None = None
    """Counts the changes of what is in effect: this resource and all policies for it. The audit trail names it."""
    policy_digest: Annotated[str, Field(max_length=64, pattern=HEX)] | None = None
    """A hash of what is in effect, by which the count is recognised."""


class Database(Resource):
    """A PostgreSQL database that is reached through Penstock: where it is, and what in it is sensitive.

    It has effect in its own namespace alone. Access to it needs a DatabaseAccessPolicy.
    """

    api_version: Literal["penstock.dev/v1alpha1"] = "penstock.dev/v1alpha1"
    kind: Literal["Database"] = "Database"
    spec: DatabaseSpec
    """Where the database is and what in it is sensitive."""
    status: DatabaseStatus | None = None
    """Written by the operator."""

    def columns_tagged(self, tag: str) -> tuple[str, ...]:
        """The column patterns that bear the tag, each once, in order."""
        found = (pattern for entry in self.spec.classification if entry.tag == tag for pattern in entry.columns)
        return tuple(dict.fromkeys(found))

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag that a column of the database bears, sorted."""
        return tuple(sorted({entry.tag for entry in self.spec.classification}))
