"""The Kubernetes API by the credentials of a kubeconfig, as one person has it.

What doesn't belong: what the objects mean. Every failure is an Unusable of one line.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException

from penstock_cli.failures import Unusable
from penstock_core.approvals.kubernetes_request import WHO_AM_I, WHOAMI, refusal, server_time, user
from penstock_core.approvals.kubernetes_user import KubernetesUser

Json = dict[str, Any]
PATCH = "application/merge-patch+json"
_PAGE = "500"
_SECONDS = 30


class Refused(Unusable):
    """The API server answers, and says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Where:
    """The cluster: which kubeconfig and context of it, and the namespace; None: as kubectl takes them."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


class ClusterApi:
    """The API server, as one person."""

    def __init__(self, where: Where) -> None:
        """Raises Unusable if there is no kubeconfig, or nothing in it that can be used."""
        file = None if where.kubeconfig is None else str(where.kubeconfig)
        try:
            loaded = client.Configuration()
            config.load_kube_config(file, where.context, client_configuration=loaded)  # type: ignore[no-untyped-call]
            contexts, current = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, ValueError, TypeError, LookupError, yaml.YAMLError) as error:
            raise Unusable(f"no kubeconfig that can be used: {' '.join(str(error).split())[:300]}") from None
        chosen = next((one for one in contexts if one["name"] == where.context), current)
        self.namespace = where.namespace or chosen["context"].get("namespace") or "default"
        loaded.retries = False
        self._api = client.ApiClient(loaded)

    def user(self) -> KubernetesUser:
        """Who we are to the API server."""
        said, _ = self.call("POST", WHOAMI, WHO_AM_I)
        return user(said)

    def call(self, method: str, path: str, body: Json | None = None) -> tuple[Json, datetime]:
        """The answer, and the server's time."""
        with self._answer(method, path, body) as answer:
            return _document(answer.data), server_time(answer.headers.get("Date"), datetime.now(UTC))

    def text(self, path: str, seconds: float = _SECONDS) -> str:
        """What is no JSON: metrics of a pod, say."""
        with self._answer("GET", path, None, seconds) as answer:
            return answer.data.decode(errors="replace")

    def lines(self, path: str) -> Iterator[bytes]:
        """The same line by line as they come, for as long as they do."""
        with self._answer("GET", path, None, None, preload=False) as answer:
            rest = b""
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                for part in answer.stream(4096):
                    *whole, rest = (rest + part).split(b"\n")
                    yield from whole
            if rest:
                yield rest

    def all(self, path: str) -> tuple[list[Json], datetime]:
        """All objects of a list, and the server's time."""
        found: list[Json] = []
        more, joined = "", "&" if "?" in path else "?"
        while True:
            query = f"limit={_PAGE}" + (f"&continue={quote(more, safe='')}" if more else "")
            said, now = self.call("GET", f"{path}{joined}{query}")
            found += said.get("items") or ()
            more = (said.get("metadata") or {}).get("continue") or ""
            if not more:
                return found, now

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: Json | None, seconds: float | None = _SECONDS, *, preload: bool = True
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        headers = {
            "Accept": "application/json, */*",
            "Content-Type": PATCH if method == "PATCH" else "application/json",
        }
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            answer = self._api.rest_client.pool_manager.request(
                method,
                self._api.configuration.host + path,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=_SECONDS, read=None) if seconds is None else urllib3.Timeout(seconds),
                retries=False,
                preload_content=preload,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unusable(f"the API server can't be reached: {' '.join(str(error).split())[:300]}") from None
        try:
            if answer.status >= 400:
                raise Refused(answer.status, refusal(answer.status, _document(answer.data)))
            yield answer
        finally:
            answer.close()


def _document(data: bytes) -> Json:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {}
