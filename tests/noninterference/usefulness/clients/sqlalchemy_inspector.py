"""What SQLAlchemy's inspector reads of a database. Prints a line of JSON for each question: its name, and the answer.

Run as a program of its own, in SQLAlchemy's environment; the database is in $DATABASE_URL.
"""

from __future__ import annotations

import json
import os

import sqlalchemy

TABLES = ("account", "address", "users", "auth_user", "Post")
QUESTIONS = (
    "get_columns", "get_pk_constraint", "get_foreign_keys", "get_indexes", "get_unique_constraints",
    "get_check_constraints", "get_table_comment",
)  # fmt: skip

engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1))


def ask(name: str, *arguments: str) -> None:
    try:
        answer = repr(getattr(sqlalchemy.inspect(engine), name)(*arguments))
    except Exception as error:
        answer = f"ERROR {error}"
    print(json.dumps({"name": " ".join((name, *arguments)), "answer": answer}))


for question in (
    "get_schema_names",
    "get_table_names",
    "get_view_names",
    "get_materialized_view_names",
    "get_sequence_names",
    "get_enums",
):
    ask(question)
for table in TABLES:
    for question in QUESTIONS:
        ask(question, table)
ask("get_view_definition", "active_users")
ask("get_multi_columns")
