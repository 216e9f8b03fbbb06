"""What developers and releases do with Alembic: look, go back, go on, let it write a revision, stamp."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic_shop.models import Base
from alembic_shop.place import URL, engine
from reporting import Programme
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, inspect, text

_HERE = Path(__file__).parent / "migrations"
_WORK = Path(os.environ["APPLICATION_WORK"])
_WRITTEN = _WORK / "versions"


def alembic(name: str, *arguments: str, later: bool = False, **options: object) -> str:
    """What a command of Alembic prints."""
    printed = io.StringIO()
    config = _config(later)
    config.stdout = config.output_buffer = printed
    getattr(command, name)(config, *arguments, **options)
    return printed.getvalue()


def _config(later: bool) -> Config:
    config = Config()
    folders = [_HERE / "versions", _WRITTEN, *([_HERE / "later"] if later else [])]
    _WRITTEN.mkdir(exist_ok=True)
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, folders)))
    config.set_main_option("sqlalchemy.url", URL.replace("%", "%%"))
    return config


def _columns(table: str) -> str:
    return ", ".join(f"{one['name']} {one['type']}" for one in inspect(engine).get_columns(table))


def steps(programme: Programme) -> None:
    """What is done, in order."""
    _looking(programme)
    _going(programme)
    _writing(programme)
    _customers(programme)


def _looking(programme: Programme) -> None:
    programme.use("current")(lambda: alembic("current"))
    programme.use("history with what is current")(lambda: alembic("history", indicate_current=True))
    programme.use("check that the models are as the tables")(lambda: alembic("check"))

    @programme.use("reflect all tables")
    def _() -> str:
        found = MetaData()
        found.reflect(engine)
        return "\n".join(
            f"{table.name}: {', '.join(sorted(table.c.keys()))}; {len(table.foreign_keys)} foreign keys, "
            f"{sorted(str(index.name) for index in table.indexes)}"
            for table in found.sorted_tables
        )

    @programme.use("inspect constraints and types")
    def _() -> str:
        seen = inspect(engine)
        return repr(
            [
                seen.get_pk_constraint("customers"), seen.get_unique_constraints("customers"),
                seen.get_check_constraints("orders"), seen.get_foreign_keys("lines"), seen.get_indexes("orders"),
                seen.get_enums(), seen.get_sequence_names(), seen.get_table_comment("orders"), seen.get_view_names(),
            ]
        )  # fmt: skip


def _going(programme: Programme) -> None:
    @programme.use("downgrade one, which changes data back")
    def _() -> str:
        alembic("downgrade", "-1")
        with engine.connect() as connection:
            return repr(connection.execute(text("SELECT name, tier, profile FROM customers ORDER BY id")).all())

    @programme.use("downgrade by two, which drops a table, an index, a check and columns")
    def _() -> str:
        alembic("downgrade", "r4")
        return f"{_columns('orders')}; coupons: {inspect(engine).has_table('coupons')}"

    @programme.use("upgrade by one")
    def _() -> str:
        alembic("upgrade", "+1")
        return _columns("orders")

    @programme.use("upgrade to the newest with a data migration")
    def _() -> str:
        alembic("upgrade", "head")
        with engine.connect() as connection:
            return repr(
                [
                    connection.execute(text("SELECT name, tier, profile FROM customers ORDER BY id")).all(),
                    connection.execute(text("SELECT code, percent FROM coupons ORDER BY code")).all(),
                ]
            )

    programme.use("upgrade when there is nothing to do")(lambda: alembic("upgrade", "head") + alembic("current"))
    programme.use("print the SQL of an upgrade")(lambda: alembic("upgrade", "r4:r6", sql=True))
    programme.use("show a revision")(lambda: alembic("show", "r6").replace(str(_HERE), "…"))

    @programme.use("stamp back and forth")
    def _() -> str:
        alembic("stamp", "r6")
        before = alembic("current")
        alembic("stamp", "head")
        return before + alembic("current")


def _writing(programme: Programme) -> None:
    @programme.use("let Alembic write a revision for changed models")
    def _() -> str:
        _changed()
        try:
            alembic("revision", message="returns", autogenerate=True, rev_id="a1", version_path=str(_WRITTEN))
        finally:
            Base.metadata.remove(Base.metadata.tables["returns"])
        (written,) = _WRITTEN.glob("a1_*.py")
        return re.sub(r"Create Date: .*", "", written.read_text())

    @programme.use("upgrade to the written revision")
    def _() -> str:
        alembic("upgrade", "a1")
        return _columns("returns") + repr(inspect(engine).get_indexes("returns"))

    @programme.use("downgrade from the written revision")
    def _() -> str:
        alembic("downgrade", "r7")
        for written in _WRITTEN.glob("a1_*.py"):
            written.unlink()
        return f"{inspect(engine).has_table('returns')} {alembic('current')}"


def _changed() -> None:
    """The models as a developer has changed them: one more table."""
    Table(
        "returns",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("reason", String(200), nullable=False, index=True),
        Column("day", Date, unique=True),
    )


def _customers(programme: Programme) -> None:
    @programme.use("upgrade that changes the customers' table")
    def _() -> str:
        alembic("upgrade", "r8", later=True)
        with engine.connect() as connection:
            return repr(connection.execute(text("SELECT name, domain FROM customers ORDER BY id")).all())

    @programme.use("downgrade that changes the customers' table")
    def _() -> str:
        if "r8" not in alembic("current", later=True):
            raise LookupError("the revision is not there")
        alembic("downgrade", "r7", later=True)
        return alembic("current")
