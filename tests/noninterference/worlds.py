"""The worlds that the proof is about: which SQL makes each, fills it on a twin, and says who may do what."""

from __future__ import annotations

from tests.noninterference.twins import HAND, LEFT, LONG, RIGHT, WORLD, Filling, World, policies


def _read(name: str) -> str:
    return (WORLD / name).read_text(encoding="utf-8")


def _filled(text: str, filling: Filling) -> str:
    return text.replace("{seed}", filling.seed).replace("{length}", str(filling.length))


def attacked(twins: tuple[Filling, ...] = (LEFT, RIGHT, LONG)) -> World:
    """What the attacks are about."""

    def schema(version: int) -> str:
        return _read("attacked.sql") + (_read("attacked_18.sql") if version >= 18 else "")

    return World(
        "attacked", schema, lambda filling: _filled(_read("attacked_fill.sql"), filling),
        policies(WORLD / "attacked.yaml"), twins,
        "CLUSTER clustered_users USING clustered_users_email; VACUUM ANALYZE",
    )  # fmt: skip


def app() -> World:
    """What applications' statements are about; the other twin holds what the masks show, made by hand."""

    def fill(filling: Filling) -> str:
        hand = _read("app_hand.sql") if filling is HAND else ""
        return f"{hand}{_read('app_fill.sql')}REFRESH MATERIALIZED VIEW daily_orders;"

    return World("app", lambda _: _read("app.sql"), fill, policies(WORLD / "app.yaml"), (LEFT, HAND), "VACUUM ANALYZE")


def regression() -> World:
    """Tables as PostgreSQL's own regression tests have them, and one twin with what the masks show."""

    def fill(filling: Filling) -> str:
        if filling is HAND:
            hundred, text, number = "0", "'***'", "0"
        else:
            hash_ = f"('x' || substr(md5('{filling.seed}' || i), 1, 4))::bit(16)::int"
            hundred, text, number = (
                f"{hash_} % 100",
                f"upper(substr(md5('{filling.seed}t' || i), 1, 6))",
                f"{hash_} % 100",
            )
        sql = _read("regression_fill.sql")
        return sql.replace("{hundred}", hundred).replace("{text}", text).replace("{number}", number)

    return World(
        "regression", lambda _: _read("regression.sql"), fill, policies(WORLD / "regression.yaml"), (LEFT, RIGHT, HAND),
        "VACUUM ANALYZE",
    )  # fmt: skip
