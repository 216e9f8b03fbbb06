"""Django's settings for its own tests, with a runner that writes each test's outcome to $PENSTOCK_OUTCOMES.

It runs in the environment of Django's test suite, so it imports nothing of Penstock.
"""

from __future__ import annotations

import json
import os
import traceback
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from django.db.backends.postgresql.creation import DatabaseCreation
from django.test import runner

SECRET_KEY = "made up for the tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "penstock_django.Runner"


def _database(alias: str, name: str, port: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": port,
        "NAME": name,
        "USER": os.environ["DJANGO_USER"],
        "PASSWORD": os.environ["DJANGO_PASSWORD"],
        # The tests' database is the one that is there: a gate leads to one only.
        "TEST": {"NAME": name},
    }


_NAMES = dict(zip(("default", "other"), os.environ["DJANGO_DATABASES"].split(), strict=True))
DATABASES = {alias: _database(alias, *place.split(":")) for alias, place in _NAMES.items()}


class _Result(unittest.TextTestResult):
    def _write(self, test: unittest.TestCase, result: str, message: str = "") -> None:
        record = {"test": test.id(), "result": result, "message": message[-2000:]}
        with Path(os.environ["PENSTOCK_OUTCOMES"]).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record) + "\n")

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self._write(test, "passed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._write(test, "failed", "".join(traceback.format_exception(*err)))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._write(test, "failed", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._write(test, "failed", "".join(traceback.format_exception(*err)))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._write(test, "skipped")

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._write(test, "passed")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._write(test, "failed", "it was expected to fail")


class Runner(runner.DiscoverRunner):  # type: ignore[misc]  # likewise
    """Django's runner, whose results are written, and who is content with databases that are there."""

    def setup_databases(self, **kwargs: Any) -> Any:
        # Else each would be looked for from a database of another name, to which its gate does not lead.
        with mock.patch.object(DatabaseCreation, "_create_test_db", lambda creation, *_: creation._get_test_db_name()):
            return super().setup_databases(**kwargs)

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        return _Result
