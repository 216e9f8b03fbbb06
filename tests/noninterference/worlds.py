"""The worlds that the proof is about: which SQL makes each, fills it on a twin, and says who may do what."""

from __future__ import annotations

from tests.noninterference.twins import LEFT, LONG, RIGHT, WORLD, Filling, World, policies


def _read(name: str) -> str:
    return (WORLD / name).read_text(encoding="utf-8")


def _filled(text: str, filling: Filling) -> str:
    return text.replace("{seed}", filling.seed).replace("{length}", str(filling.length))


def attacked() -> World:
    """What the attacks are about."""

    def schema(version: int) -> str:
        return _read("attacked.sql") + (_read("attacked_18.sql") if version >= 18 else "")

    return World(
        "attacked", schema, lambda filling: _filled(_read("attacked_fill.sql"), filling),
        policies(WORLD / "attacked.yaml"), (LEFT, RIGHT, LONG),
        "CLUSTER clustered_users USING clustered_users_email; VACUUM ANALYZE",
    )  # fmt: skip
