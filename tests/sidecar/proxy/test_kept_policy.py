"""What is kept of policies is used by the gate that kept it, as long as it counts, and not if anybody touched it."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from penstock_core.resources import Bundle
from penstock_sidecar.proxy.kept_policy import KeptPolicy, KeptPolicyError

BUNDLE = Bundle.model_validate({
    "generation": 7, "maskKey": base64.b64encode(b"k" * 32).decode(),
    "database": {"metadata": {"name": "shop", "namespace": "shop"}, "spec": {
        "host": "h", "dbname": "shop", "credentialsSecretRef": {"name": "s"}}},
})  # fmt: skip


def kept(path: Path, owner: str = "u-1", place: str = "shop/shop", secret: bytes = b"made up") -> KeptPolicy:
    return KeptPolicy(path / "policy.sealed", owner, place, lambda: secret)


def test_what_was_kept_is_there_with_its_age(tmp_path: Path) -> None:
    kept(tmp_path).keep(BUNDLE, 1000.0)
    assert kept(tmp_path).read(1030.0, 60.0) == (BUNDLE, 30.0)
    assert kept(tmp_path).read(1e9, None)[0] == BUNDLE
    assert [path.name for path in tmp_path.iterdir()] == ["policy.sealed"]


def test_nobody_reads_it_who_has_the_file(tmp_path: Path) -> None:
    kept(tmp_path).keep(BUNDLE, 1000.0)
    path = tmp_path / "policy.sealed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert BUNDLE.mask_key.encode() not in path.read_bytes()
    assert b"shop" not in path.read_bytes()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"secret": b"another"}, "sealed by another password"),
        ({"owner": "u-2"}, "was changed, or sealed"),
        ({"place": "shop/other"}, "was changed, or sealed"),
        ({"secret": b""}, "password is empty"),
    ],
)
def test_it_is_of_use_to_no_other_gate_and_no_other_database(
    tmp_path: Path, other: dict[str, object], words: str
) -> None:
    kept(tmp_path).keep(BUNDLE, 1000.0)
    with pytest.raises(KeptPolicyError, match=words):
        kept(tmp_path, **other).read(1000.0, None)  # type: ignore[arg-type]


def test_one_that_is_another_databases_is_not_used_whoever_sealed_it(tmp_path: Path) -> None:
    kept(tmp_path, place="shop/other").keep(BUNDLE, 1000.0)
    with pytest.raises(KeptPolicyError, match="another Database's"):
        kept(tmp_path, place="shop/other").read(1000.0, None)


def test_each_byte_that_is_changed_is_noticed(tmp_path: Path) -> None:
    kept(tmp_path).keep(BUNDLE, 1000.0)
    path = tmp_path / "policy.sealed"
    sealed = path.read_bytes()
    for place in (0, 10, len(sealed) // 2, len(sealed) - 5):
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        with pytest.raises(KeptPolicyError, match="was changed"):
            kept(tmp_path).read(1000.0, None)
    for cut in (b"", sealed[:100]):
        path.write_bytes(cut)
        with pytest.raises(KeptPolicyError, match="was changed"):
            kept(tmp_path).read(1000.0, None)


@pytest.mark.parametrize(("now", "words"), [(1061.0, "61 s ago, more than the 60 s"), (900.0, "from the future")])
def test_it_counts_as_long_as_a_policy_counts(tmp_path: Path, now: float, words: str) -> None:
    kept(tmp_path).keep(BUNDLE, 1000.0)
    with pytest.raises(KeptPolicyError, match=words):
        kept(tmp_path).read(now, 60.0)


def test_what_was_forgotten_is_not_there(tmp_path: Path) -> None:
    one = kept(tmp_path)
    one.forget()
    one.keep(BUNDLE, 1000.0)
    one.forget()
    with pytest.raises(KeptPolicyError, match="no policy was kept"):
        one.read(1000.0, None)


def test_where_the_password_is_empty_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeptPolicyError):
        kept(tmp_path, secret=b"").keep(BUNDLE, 1000.0)
    assert list(tmp_path.iterdir()) == []
