"""The databases of one proxy, put together from the settings: each with its rules, credentials and source of policies.

What they do is `proxy/served_database.py`'s; what they share is put together in `assembly.py`.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from penstock_core.resources import Bundle
from penstock_sidecar.database_settings import DatabaseSettings
from penstock_sidecar.proxy.access_news import AccessNews
from penstock_sidecar.proxy.deciders import MakeDecider
from penstock_sidecar.proxy.gate_reports import GateReports, ReportTarget
from penstock_sidecar.proxy.kept_policy import KeptPolicy
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.served_database import ServedDatabase
from penstock_sidecar.proxy.sessions_around import SessionsAround
from penstock_sidecar.proxy.sources import BundleKey, BundleSource, ControlSource, FileSource
from penstock_sidecar.proxy.upstream import Server, read_credentials
from penstock_sidecar.settings import ProxySettings, SettingsError


def served_databases(settings: ProxySettings, make_decider: MakeDecider) -> list[ServedDatabase]:
    """All of them. Raises SettingsError."""
    wanted = settings.served
    return [
        _served(settings, one, make_decider, share=len(wanted), tells=one is wanted[0]) for one in wanted
    ]  # fmt: skip


def _served(
    settings: ProxySettings, one: DatabaseSettings, make_decider: MakeDecider, *, share: int, tells: bool
) -> ServedDatabase:
    provider = RulesProvider(make_decider, lambda bundle: _server(settings, one, bundle), share=share)
    return ServedDatabase(one.name, provider, _source(settings, one, provider, tells=tells))


def hear_of_access(settings: ProxySettings, database: ServedDatabase) -> AccessNews | None:
    """What asks for access for a time to that database; None where policies come with it, or nobody can be asked."""
    access, provider = database.rules_provider.access, database.rules_provider
    if settings.control is not None:
        access.age = lambda: database.source.age
        access.command = f"kubectl penstock request {{policy}} -n {settings.namespace} --for 1h --reason '…'"
        return None
    collector = settings.collector
    if collector is None:
        # Nothing ever lasts.
        access.age = lambda: float("inf")
        return None
    news = AccessNews(
        collector.url, settings.stream_owner, lambda: provider.bundle, provider.replace_grants,
        token_file=None if collector.token_file is None else settings.at(collector.token_file),
        ca_file=None if collector.ca_file is None else settings.at(collector.ca_file),
        issuers=[one.issuer for one in settings.identity.issuers],
    )  # fmt: skip
    access.age = lambda: news.age
    return news


def reports(settings: ProxySettings, database: ServedDatabase, around: SessionsAround) -> GateReports | None:
    """What tells control of that database; None where there is no control."""
    control = settings.control
    if control is None:
        return None
    one = next(one for one in settings.served if one.name == database.name)
    directory = settings.at(one.credentials_dir)
    watched = [directory / "username", directory / "password"]
    if one.upstream_ca_file is not None:
        watched.append(settings.at(one.upstream_ca_file))
    ca_file = None if control.ca_file is None else settings.at(control.ca_file)
    return GateReports(
        database, ReportTarget(control.url, settings.at(control.token_file), ca_file), watched, lambda: around.seen
    )


def _server(settings: ProxySettings, one: DatabaseSettings, bundle: Bundle) -> Server:
    spec = bundle.database.spec
    ours, theirs = one.credentials_secret, spec.credentials_secret_ref.name
    problem = ""
    if ours is not None and ours != theirs:
        # Clients read it: no Secret is named.
        problem = f"Database {one.name} names another Secret than the one that the gate has credentials of"
    ca_file = None if one.upstream_ca_file is None else settings.at(one.upstream_ca_file)
    return Server(spec.host, spec.port, spec.tls.mode, settings.at(one.credentials_dir), ca_file, problem)


def _source(settings: ProxySettings, one: DatabaseSettings, provider: RulesProvider, *, tells: bool) -> BundleSource:
    if settings.control is not None:
        control = settings.control
        return ControlSource(
            control.url, settings.at(control.token_file),
            None if control.ca_file is None else settings.at(control.ca_file), one.name, settings.namespace,
            provider.replace_bundle, max_age=control.max_age_seconds, kept=_kept_policy(settings, one),
        )  # fmt: skip
    wanted = BundleKey(one.name, settings.namespace, _mask_key(settings, one))
    return FileSource(settings.resources or (), settings.directory, wanted, provider.replace_bundle, tells=tells)


def _kept_policy(settings: ProxySettings, one: DatabaseSettings) -> KeptPolicy:
    """Beside the spool: the one place that the gate may write to."""
    path = settings.at(settings.spool.path).with_name(f"policy-{one.name}.sealed")

    def secret() -> bytes:
        return read_credentials(settings.at(one.credentials_dir)).password.encode()

    return KeptPolicy(path, settings.stream_owner, f"{settings.namespace}/{one.name}", secret)


def _mask_key(settings: ProxySettings, one: DatabaseSettings) -> bytes:
    if one.mask_key_file is None:
        raise SettingsError("maskKeyFile: is missing")
    return read_mask_key(settings.at(one.mask_key_file))


def read_mask_key(path: Path) -> bytes:
    """The 32 bytes that a file holds in base64. Raises SettingsError."""
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except OSError as error:
        raise SettingsError(f"maskKeyFile: {path}: {error.strerror}") from None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise SettingsError(f"maskKeyFile: {path}: not base64") from None
    if len(key) != 32:
        raise SettingsError(f"maskKeyFile: {path}: {len(key)} bytes where 32 are needed")
    return key
