"""The recipes of docs/contexts.md, as they stand there, in the frameworks that they are for. These are installed as
`make applications` installs them.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import clients
from tests.sidecar.proxy.contexts import ALONE, OFFICER, STAFF, TEXT, context

Start = Any
ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "tests" / "applications" / "python" / "requirements"
DJANGO = """
import json, sys
import django
from django.conf import settings

place = json.loads(sys.argv[1])
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", MIDDLEWARE=["shop.contexts.ContextMiddleware"], SECRET_KEY="made up",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": place["port"], "NAME": "shop",
        "USER": "app", "CONN_MAX_AGE": None, "OPTIONS": {"sslmode": "disable"},
    }},
)
django.setup()
from django.db import connection
from django.test import Client

client = Client(raise_request_exception=False)
for person in ("staff", "officer", "bad", "staff"):
    answer = client.get("/", headers={"X-Context": place[person]})
    print(answer.content.decode() if answer.status_code == 200 else answer.status_code)
with connection.cursor() as cursor:
    cursor.execute(place["text"])
    print(cursor.fetchone()[0])
"""
DJANGO_VIEW = """
from django.db import connection, transaction
from django.http import HttpResponse
from django.urls import path

def page(request):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(%r)
        return HttpResponse(cursor.fetchone()[0])

urlpatterns = [path("", page)]
"""
SQLALCHEMY = """
import json, sys
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from recipe import PersonSession, text

place = json.loads(sys.argv[1])
url = f"postgresql+psycopg://app@127.0.0.1:{place['port']}/shop?sslmode=disable"
engine = create_engine(url, pool_size=1, max_overflow=0)
for person in ("staff", "officer", "bad", "staff"):
    try:
        with PersonSession(engine, info={"context": place[person]}) as session:
            with session.begin_nested():
                print(session.execute(text(place["text"])).one()[0])
            print(session.execute(text(place["text"])).one()[0])
            session.commit()
    except DBAPIError as error:
        print("refused" in str(error))
with engine.connect() as connection:
    print(connection.execute(text(place["text"])).one()[0])
"""


def recipe(title: str) -> str:
    """The code under that heading."""
    page = (ROOT / "docs" / "contexts.md").read_text()
    (code,) = re.findall(rf"^## {title}$.*?```python\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    return str(code)


async def printed(running: Any, environment: str, directory: Path) -> list[str]:
    """What the program prints that is in the directory."""
    python = await asyncio.to_thread(clients.environment, environment, REQUIREMENTS)
    place = {
        "port": running.proxy.port, "text": TEXT, "staff": context(), "bad": context(exp=2**33),
        "officer": context(sub="bob", groups=["dpo"]),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(python), "program.py", json.dumps(place), cwd=directory,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return said.decode().splitlines()


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_django(running: Any, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "signing_in.py").write_text("def token_of(request): return request.headers['X-Context']\n")
    (tmp_path / "shop" / "contexts.py").write_text(recipe("Django"))
    (tmp_path / "urls.py").write_text(DJANGO_VIEW % TEXT)
    (tmp_path / "program.py").write_text(DJANGO)
    said = await printed(running, "django-psycopg3", tmp_path)
    assert [line for line in said if "@" in line or len(line) == 3] == [STAFF[0], OFFICER[0], "500", STAFF[0], ALONE[0]]
    starts = [one for one in running.events("session") if one["event"] == "start"]
    assert len(starts) == 1, "all by one connection"


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_sqlalchemy(running: Any, tmp_path: Path) -> None:
    (tmp_path / "recipe.py").write_text(recipe("SQLAlchemy"))
    (tmp_path / "program.py").write_text(SQLALCHEMY)
    assert await printed(running, "alembic", tmp_path) == [
        *[STAFF[0]] * 2, *[OFFICER[0]] * 2, "True", *[STAFF[0]] * 2, ALONE[0],
    ]  # fmt: skip
