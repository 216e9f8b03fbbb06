"""A shop on Django with its admin: pages that people ask for, what its service reads and writes, its commands."""

from __future__ import annotations

import os

import django
from django.test.utils import setup_test_environment
from reporting import Programme

os.environ["DJANGO_SETTINGS_MODULE"] = "django_shop.settings"
django.setup()
# So that what a page's template was given can be asked for.
setup_test_environment()

from django_shop import commands, first_data, pages, querying  # noqa: E402 (Django has to know its settings before)


def _hang_up() -> None:
    """As the end of a process would: an error amid a migration leaves Django's connection of no use."""
    from django.db import connections

    connections["default"].close()
    del connections["default"]


programme = Programme(afterwards=_hang_up)
programme.prepare("migrate")(lambda: commands.command("migrate", "django_shop", verbosity=0))
programme.prepare("migrate what Django brings")(
    lambda: "".join(
        commands.command("migrate", name, verbosity=0) for name in ("auth", "admin", "sessions", "contenttypes")
    )
)
programme.prepare("createcachetable")(lambda: commands.command("createcachetable"))
programme.prepare("first data")(first_data.fill)
pages.steps(programme)
querying.steps(programme)
commands.steps(programme)

if __name__ == "__main__":
    programme.run()
