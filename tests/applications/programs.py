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
)
