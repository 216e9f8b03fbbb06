"""What asyncpg asks of a database about types of its own. Prints a line of JSON for each question and its answer.

Run as a program of its own, in asyncpg's environment; the database is in $DATABASE_URL.
"""

from __future__ import annotations

import asyncio
import json
import os

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    questions = {
        "an enum": """SELECT role FROM "User" ORDER BY id""",
        "an array of an enum": """SELECT array_agg(role ORDER BY id) FROM "User" """,
        "a parameter of an enum": """SELECT count(*) FROM "User" WHERE role = 'USER'""",
        "json": "SELECT data FROM blog_post ORDER BY id LIMIT 1",
        "numeric and timestamps": "SELECT total, created_at FROM orders ORDER BY id LIMIT 1",
    }
    for name, sql in questions.items():
        try:
            answer = repr(await connection.fetch(sql))
        except Exception as error:
            answer = f"ERROR {error}"
        print(json.dumps({"name": name, "answer": answer}))
    try:
        await connection.set_type_codec("Role", schema="public", encoder=str, decoder=str, format="text")
        answer = "set"
    except Exception as error:
        answer = f"ERROR {error}"
    print(json.dumps({"name": "set_type_codec", "answer": answer}))
    await connection.reset()
    await connection.close()


asyncio.run(main())
