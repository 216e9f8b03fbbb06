"""What developers and releases do with Django's commands, its cache and its sessions."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from reporting import Programme

from django_shop.models import Product

_WORK = Path(os.environ["APPLICATION_WORK"])
_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]


def command(*arguments: str, **options: object) -> str:
    """What a command of Django prints."""
    printed = io.StringIO()
    call_command(*arguments, stdout=printed, stderr=printed, no_color=True, **options)
    return printed.getvalue()


def steps(programme: Programme) -> None:
    """What is done, in order."""
    for part in (_looking, _moving, _cache, _migrating):
        part(programme.use)


def _looking(use: _Use) -> None:
    use("showmigrations")(lambda: command("showmigrations"))
    use("migrate when there is nothing to do")(lambda: command("migrate", "django_shop"))
    use("makemigrations finds nothing new")(lambda: command("makemigrations", "django_shop", "--check", "--dry-run"))
    use("the plan of migrations")(lambda: command("migrate", "--plan"))
    use("check the database")(lambda: command("check", "--database", "default"))
    use("inspectdb")(lambda: command("inspectdb"))
    use("sqlmigrate")(lambda: command("sqlmigrate", "django_shop", "0001"))

    @use("reset the sequences as Django prints it")
    def _() -> str:
        printed = command("sqlsequencereset", "django_shop", "auth")
        with connection.cursor() as cursor:
            cursor.execute(printed)
        made = Product.objects.create(sku="Q1", name="After the reset", price=1)
        return f"{len(printed.splitlines())} lines, {made.delete()[0]}"


def _moving(use: _Use) -> None:
    fixture = _WORK / "shop.json"

    @use("dumpdata")
    def _() -> str:
        command("dumpdata", "django_shop", "auth.group", indent=1, output=str(fixture))
        return fixture.read_text()

    @use("loaddata of products and orders, changed and new")
    def _() -> str:
        rows = [row for row in json.loads(fixture.read_text()) if row["model"] != "django_shop.customer"]
        for row in rows:
            if row["model"] == "django_shop.product":
                row["fields"]["stock"] += 1
        rows.append(
            {"model": "django_shop.product", "pk": 900, "fields": {"sku": "L1", "name": "Loaded", "price": "3.50"}}
        )
        return _loaded(rows)

    @use("loaddata of customers as they were dumped")
    def _() -> str:
        return _loaded([row for row in json.loads(fixture.read_text()) if row["model"] == "django_shop.customer"])


def _loaded(rows: list[object]) -> str:
    path = _WORK / "some.json"
    path.write_text(json.dumps(rows))
    return command("loaddata", str(path))


def _cache(use: _Use) -> None:
    use("createcachetable when it is there")(lambda: command("createcachetable"))

    @use("the cache: set, get, add, count, many, delete")
    def _() -> object:
        cache.set("greeting", {"hello": "world"}, 300)
        added = cache.add("greeting", 1), cache.add("count", 1, 300)
        cache.set_many({"a": 1, "b": 2}, 300)
        told = cache.get("greeting"), added, cache.incr("count", 4), cache.get_many(["a", "b", "c"])
        return *told, cache.delete("a"), cache.get_or_set("late", lambda: 7, 300), cache.touch("b", 600)

    @use("the cache is cleared")
    def _() -> object:
        cache.clear()
        return cache.get("b")

    @use("sessions: made, changed, read, ended")
    def _() -> object:
        one = SessionStore()
        one["basket"] = ["P1"]
        one.save()
        again = SessionStore(session_key=one.session_key)
        again["basket"] = [*again["basket"], "P2"]
        again.save()
        read = SessionStore(session_key=one.session_key)["basket"]
        again.delete()
        return read, SessionStore().exists(one.session_key), command("clearsessions")


def _migrating(use: _Use) -> None:
    def migrate(*arguments: str) -> str:
        printed = command("migrate", *arguments)
        return re.sub(r"\d+\.\d+s", "", printed)

    use("migrate on: a new table with its indexes and key")(lambda: migrate("django_later", "0001"))
    use("migrate on: rows of the new table")(lambda: migrate("django_later", "0002"))
    use("migrate back to before it")(lambda: migrate("django_later", "zero"))
    use("migrate on: a column of the customers")(lambda: migrate("django_contact", "0001"))
    use("migrate back: without the column of the customers")(lambda: migrate("django_contact", "zero"))
