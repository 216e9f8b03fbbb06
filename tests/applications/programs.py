"""The applications: how each is installed and run, what a policy masks of its tables, and what must stay hidden then.

What an application does is in the folder of its ecosystem. It is run with one argument, `prepare` (its migrations, its
first data) or `use` (what people do with it), and prints one JSON object a line for each step (`steps.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.conformance import clients

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Installed:
    """Where an application is, ready to be run: its folder, and the interpreter of its environment if it has one."""

    home: Path
    python: Path | None = None


class Recipe(Protocol):
    """How an application gets what it depends on."""

    def install(self) -> Installed:
        """Bring everything into the cache, if it is not there. Raises FetchError."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    """A program of Python that stays in its folder, and an environment with what its lock requires."""

    folder: str
    lock: str

    def install(self) -> Installed:
        python = clients.environment(self.lock, HERE / "python" / "requirements")
        return Installed(HERE / self.folder, python)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the folder in the cache, where a command of its ecosystem's tool installs or builds what it needs."""

    folder: str
    command: tuple[str, ...]

    def install(self) -> Installed:
        return Installed(clients.program(HERE / self.folder, self.command))


@dataclass(frozen=True, slots=True)
class Mask:
    """One column that the masked arm masks: `schema.table`, the column, and the mask by its name."""

    table: str
    column: str
    kind: str
    # The mask's own fields.
    settings: Mapping[str, object] = field(default_factory=dict)
    # What the policy chooses for it: uniqueness, write, writeBack.
    choices: Mapping[str, str] = field(default_factory=dict)

    def spec(self) -> dict[str, object]:
        """As it stands in a policy."""
        return {"columns": [f"{self.table}.{self.column}"], "with": {self.kind: dict(self.settings)}, **self.choices}


@dataclass(frozen=True, slots=True)
class Application:
    """One application or tool of migration, in one way of running it."""

    name: str
    recipe: Recipe
    # `{home}` stands for its folder, `{python}` for its environment's interpreter; run in its folder.
    command: tuple[str, ...]
    masks: tuple[Mask, ...]
    # Made-up values that masked columns hold: shown when it runs direct, and never when it is masked.
    secrets: tuple[str, ...]
    # Other fields of the masked arm's policy: allowFunctions, rowOrder.
    policy: Mapping[str, object] = field(default_factory=dict)
    minutes: float = 10
    # What it is, with the versions that count, for docs/applications.md.
    what: str = ""

    def words(self, installed: Installed, phase: str) -> list[str]:
        """The command of that phase."""
        return [word.format(home=installed.home, python=installed.python) for word in self.command] + [phase]


# What a service needs that makes customers and changes them, beside what it may not see.
_KEPT_BY_SERVICE = {"uniqueness": "reveal", "write": "allow", "writeBack": "ignore"}


def _python(name: str, module: str, **rest: Any) -> Application:
    return Application(name, Environment("python", name), ("{python}", "-m", module), **rest)


def _django(driver: str, driver_version: str) -> Application:
    customers = "public.django_shop_customer"
    return _python(
        f"django-{driver}",
        "django_shop",
        what=f"Django 5.2.19 by {driver_version}: the admin's pages, the mapper, commands, database cache and sessions",
        masks=(
            Mask("public.auth_user", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask(customers, "email", "email", choices=_KEPT_BY_SERVICE),
            Mask(customers, "phone", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
            Mask(customers, "card", "partial", {"keepLast": 4}, _KEPT_BY_SERVICE),
        ),
        secrets=("anna@north.example", "berta@south.example", "+49 30 5550101", "4111-0000-0000-1881", "sam.sales@"),
    )


def _jvm(name: str, main: str, **rest: Any) -> Application:
    build = Copy("jvm", ("mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/jars"))
    return Application(name, build, ("java", "-cp", "target/classes:target/jars/*", main), minutes=10, **rest)


_STAFF = (
    Mask("public.employees", "email", "email", choices=_KEPT_BY_SERVICE),
    Mask("public.employees", "iban", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
    Mask("public.employees", "salary", "bucket", {"size": 1000}, _KEPT_BY_SERVICE),
    Mask("public.employees", '"address_Street"', "redact", choices=_KEPT_BY_SERVICE),
)
_CLINIC = (
    Mask("public.patients", "email", "email", choices=_KEPT_BY_SERVICE),
    Mask("public.patients", "insurance", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
    Mask("public.patients", "born", "year"),
)
_NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
_GO = ("sh", "-c", "go build -o applications . && go build -o miniflux miniflux.app/v2")


def _node(name: str, program: str, **rest: Any) -> Application:
    return Application(name, Copy("node", _NPM), ("node", program), **rest)


APPLICATIONS: tuple[Application, ...] = (
    _django("psycopg3", "psycopg 3.3.9"),
    _django("psycopg2", "psycopg 2.9.13"),
    _python(
        "wagtail",
        "wagtail_site",
        what="Wagtail 8.0.1: editing, revisions, moderation, search in the database, images, forms, users",
        masks=(
            Mask("public.auth_user", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask("public.wagtail_site_author", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask("public.wagtailforms_formsubmission", "form_data", "constant", {"value": '{"your_name": "(hidden)"}'}),
        ),
        secrets=("edith.editor@", "rosa.field@", "nora.night@", "Greetings from", "vera.vine@"),
    ),
    _python(
        "dbt",
        "dbt_shop",
        what="dbt-core 1.11.16 with dbt-postgres 1.10.2: seeds, models of every kind, snapshots, tests, documents",
        masks=(Mask("shop.customers", "email", "email"), Mask("shop.customers", "phone", "partial", {"keepLast": 2})),
        secrets=("anna@north.example", "berta@south.example", "+49 30 5550101"),
    ),
    _python(
        "alembic",
        "alembic_shop",
        what="Alembic 1.20.1 with SQLAlchemy 2.1.9, psycopg 3.3.9: migrations both ways, autogenerate, the mapper",
        masks=(
            Mask("public.customers", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask("public.customers", "phone", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
            Mask("public.customers", "card", "partial", {"keepLast": 4}),
        ),
        secrets=("anna@north.example", "berta@south.example", "+49 30 5550101", "4111-0000-0000-1881"),
    ),
    _jvm(
        "hibernate",
        "library.Library",
        what="Hibernate ORM 6.6.30, pgjdbc 42.7.8: associations, inheritance, HQL, criteria, batches, locks",
        masks=(
            Mask("public.persons", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask("public.members", "phone", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
            Mask("public.members", "born", "year", choices=_KEPT_BY_SERVICE),
            Mask("public.employees", "salary", "bucket", {"size": 10000}, _KEPT_BY_SERVICE),
            Mask("public.payments", "card_number", "partial", {"keepLast": 4}),
            Mask("public.loans", "remark", "redact", choices={"writeBack": "ignore"}),
        ),
        secrets=(
            "ada.quill@members.example",
            "+44 20 7946 0101",
            "1985-03-17",
            "51987.65",
            "4929000000001111",
            "owes an apology to Mr Vane",
        ),
    ),
    _jvm(
        "flyway",
        "payroll.Payroll",
        what="Flyway 11.20.3: migrations in SQL and Java, callbacks, failures, repair, baseline, cleaning",
        masks=(
            Mask("public.employees", "email", "email", choices={"uniqueness": "reveal"}),
            Mask("public.employees", "iban", "partial", {"keepLast": 4}),
            Mask("public.employees", "salary", "bucket", {"size": 10000}),
        ),
        secrets=("nora.fell@staff.example", "GB00TEST00000000000101", "41230.50", "52340.75"),
    ),
    _jvm(
        "liquibase",
        "hotel.Hotel",
        what="Liquibase 4.33.0: changelogs in XML, YAML and SQL, both ways, locks, comparisons, generated changelogs",
        masks=(
            Mask("public.guests", "email", "email", choices={"uniqueness": "reveal"}),
            Mask("public.guests", "passport", "partial", {"keepLast": 2}),
            Mask("public.guests", "born", "year"),
        ),
        secrets=("rhea.stone@guests.example", "X1234567", "1979-05-06", "1988-12-24"),
    ),
    _node(
        "sequelize",
        "sequelize/shop.mjs",
        what="Sequelize 6.37.8, sequelize-cli 6.6.5: associations, scopes, pages, upserts, transactions, constraints",
        masks=(
            Mask("public.customers", "email", "email", choices=_KEPT_BY_SERVICE),
            Mask("public.customers", "phone", "partial", {"keepLast": 2}, _KEPT_BY_SERVICE),
            Mask("public.customers", "notes", "redact", choices=_KEPT_BY_SERVICE),
            Mask("public.addresses", "street", "redact", choices=_KEPT_BY_SERVICE),
        ),
        secrets=("ada.winter@", "emil.lenz@", "+49 30 5550102", "invoice number", "Birkenweg", "Hafenstrasse"),
    ),
    _node(
        "typeorm",
        "typeorm/staff.mjs",
        what="TypeORM 1.1.1: relations, trees, inheritance, streams, a cache in the database, savepoints, locks",
        masks=_STAFF,
        secrets=("ines.falk@", "paul.quist@", "DE8937040044053201300", "3210.5", "3625.5", "Lindenallee"),
    ),
    _node(
        "typeorm-migrations",
        "typeorm/migrations.mjs",
        what="TypeORM 1.1.1's migrations: generated, shown, run, reverted, compared, schema:sync",
        masks=_STAFF,
        secrets=("person.1@", "DE8937040044053201300", "3211.5"),
    ),
    _node(
        "drizzle",
        "drizzle/clinic.mjs",
        what="Drizzle 0.45.4 over node-postgres 8.23.1 and Postgres.js 3.4.9: relations, views, cursors, COPY",
        masks=(*_CLINIC, Mask("public.visits", "remark", "redact", choices={"write": "allow"})),
        secrets=("tilo.brand@", "ute.casper@", "K77123400", "1960-03-10", "1965-03-11", "complains of"),
    ),
    _node(
        "drizzle-kit",
        "drizzle/kit.mjs",
        what="drizzle-kit 0.31.11: generate, migrate, check, export, introspect, push",
        masks=_CLINIC,
        secrets=("patient.1@", "K77123400", "1970-01-02"),
    ),
    Application(
        "miniflux",
        Copy("go", _GO),
        ("{home}/applications",),
        masks=(
            # A refresh writes authors as the feeds have them.
            Mask("public.entries", "author", "partial", {"keepFirst": 1}, {"write": "allow"}),
            Mask("public.feeds", "username", "redact", choices=_KEPT_BY_SERVICE),
            Mask("public.feeds", "password", "redact", choices=_KEPT_BY_SERVICE),
            Mask("public.feeds", "cookie", "redact", choices=_KEPT_BY_SERVICE),
        ),
        what="miniflux 2.3.5, in Go with lib/pq 1.12.3: its migrations, HTTP API, pages, command line, refreshes",
        secrets=("Nora Quill", "Otis Plume", "Petra Inkwell", "subscriber-lena", "opensesame-4711", "kept-9000"),
    ),
)
