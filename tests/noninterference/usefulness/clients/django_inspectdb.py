"""What Django's inspectdb reads of a database. Prints a line of JSON for each table: its name, and the models.

Run as a program of its own, in Django's environment; the database is in $PGHOST and its relatives.
"""

from __future__ import annotations

import io
import json
import os

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"], "NAME": os.environ["PGDATABASE"],
            "OPTIONS": {"sslmode": "disable"},
        }
    }
)  # fmt: skip
django.setup()
for table in ("auth_user", "blog_post", "users", "orders", "account", "purchase_order"):
    said = io.StringIO()
    try:
        call_command("inspectdb", table, stdout=said)
        answer = said.getvalue()
        if "Unable to inspect" in answer:
            answer = f"ERROR {answer[-300:]}"
    except Exception as error:
        answer = f"ERROR {error}"
    print(json.dumps({"name": f"inspectdb {table}", "answer": answer}))
