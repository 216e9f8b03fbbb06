"""The worlds that the proof is about: which SQL makes each, fills it on a twin, and says who may do what."""

from __future__ import annotations

from tests.noninterference.twins import HAND, LEFT, LONG, RIGHT, WORLD, Filling, World, policies


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


def app() -> World:
    """What applications' statements are about; the other twin holds what the masks show, made by hand."""

    def fill(filling: Filling) -> str:
        hand = _read("app_hand.sql") if filling is HAND else ""
        return f"{hand}{_read('app_fill.sql')}REFRESH MATERIALIZED VIEW daily_orders;"

    return World("app", lambda _: _read("app.sql"), fill, policies(WORLD / "app.yaml"), (LEFT, HAND), "VACUUM ANALYZE")
