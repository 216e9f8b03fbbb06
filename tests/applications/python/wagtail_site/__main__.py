"""A site on Wagtail: what its editors do in the admin, what visitors see, what is looked for and kept up."""

from __future__ import annotations

import os

import django
from django.test.utils import setup_test_environment
from reporting import Programme

os.environ["DJANGO_SETTINGS_MODULE"] = "wagtail_site.settings"
django.setup()
# So that no mail is sent.
setup_test_environment()

from django.core.management import call_command  # noqa: E402 (Django has to know its settings before)
from django.db import connection  # noqa: E402 (likewise)

from wagtail_site import editing, first_data, keeping, visiting  # noqa: E402 (likewise)

programme = Programme(afterwards=connection.close)
programme.prepare("migrate")(lambda: call_command("migrate", verbosity=0))
programme.prepare("first data")(first_data.fill)
editing.steps(programme)
visiting.steps(programme)
keeping.steps(programme)

if __name__ == "__main__":
    programme.run()
