"""Checks that the cluster does what Penstock needs of one, each thing by using it.

What Penstock does with these is for its own end-to-end tests; this only tells a broken cluster from a broken Penstock.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from e2e.cluster.console import ClusterError, answer, run, step, wait_until
from e2e.cluster.images import BASE
from e2e.cluster.layout import Layout
from e2e.cluster.pki import sign

HERE = Path(__file__).parent
NAMESPACE = "cluster-smoke"
ADMISSION_KINDS = "mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings"
FETCH = (
    "import sys; from urllib.request import urlopen; sys.stdout.write(urlopen(sys.argv[1], timeout=5).read().decode())"
)


def check(layout: Layout) -> None:
    """Runs every check, then removes all that it made; the first that fails ends it."""
    smoke = _Smoke(layout)
    checks = {
        "workloads with native sidecars": smoke.start,
        "a Service by its DNS name, from a pod": smoke.service_by_name,
        "a Service by its address, from the machine": smoke.service_from_host,
        "logs": smoke.logs,
        "a projected token of its own audience": smoke.token,
        "a Job with a native sidecar and a volume completes": smoke.job,
        "an admission webhook behind a Service": smoke.webhook,
        "a validating admission policy": smoke.policy,
        "the restricted pod security level": smoke.pod_security,
    }
    try:
        for name, action in checks.items():
            with step(name):
                action()
    finally:
        with step("clean up"):
            smoke.clean_up()
    answer("all good")


class _Smoke:
    """The checks, in the order in which each finds what those before it made."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def start(self) -> None:
        self.clean_up()
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self._create("v1", "Namespace", {"name": NAMESPACE, "labels": labels})
        self._create("v1", "ConfigMap", {"name": "code"}, {"data": {"server.py": (HERE / "server.py").read_text()}})
        with tempfile.TemporaryDirectory(prefix="penstock-smoke-") as scratch:
            stem = Path(scratch) / "tls"
            sign(self._layout, stem, "/CN=web", f"DNS:web.{NAMESPACE}.svc")
            files = {f"tls.{kind}": stem.with_suffix(f".{kind}").read_text() for kind in ("crt", "key")}
        self._create("v1", "Secret", {"name": "tls"}, {"stringData": files})
        self._kubectl("apply", "-f", HERE / "workloads.yaml")
        self._kubectl("rollout", "status", "deployment/web", "--timeout=90s")

    def service_by_name(self) -> None:
        url = f"http://web.{NAMESPACE}.svc.cluster.local"
        said = ""

        def answers() -> bool:
            nonlocal said
            try:
                said = self._in_app("python3", "-c", FETCH, url)
            except ClusterError as problem:
                said = str(problem)
            return "the sidecar answers" in said

        # The Service's rules follow its pods by a moment.
        wait_until(f"a pod reaches {url}", answers, seconds=20)

    def service_from_host(self) -> None:
        address = self._kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://{address}", timeout=5) as response:
            _expect("the sidecar answers", response.read().decode())

    def logs(self) -> None:
        _expect("admission listens on 8443", self._kubectl("logs", "deployment/web", "--container=app"))
        _expect("plain listens on 8080", self._kubectl("logs", "deployment/web", "--container=sidecar"))

    def token(self) -> None:
        token = self._kubectl("exec", "deployment/web", "--container=sidecar", "--", "cat", "/var/run/token/token")
        for audience, valid in (("smoke", True), ("another", False)):
            spec = {"token": token, "audiences": [audience]}
            review = json.loads(self._create("authentication.k8s.io/v1", "TokenReview", {}, {"spec": spec}))
            status = review["status"]
            if bool(status.get("authenticated")) != valid:
                raise ClusterError(f"token review for audience {audience!r}: {status}")
            if valid:
                _expect("authentication.kubernetes.io/pod-uid", json.dumps(status["user"]))

    def job(self) -> None:
        self._kubectl("wait", "--for=condition=complete", "job/once", "--timeout=60s")
        _expect("the sidecar answers", self._kubectl("logs", "job/once", "--container=app"))

    def webhook(self) -> None:
        authority = base64.b64encode((self._layout.pki / "ca.crt").read_bytes()).decode()
        manifest = Template((HERE / "admission.yaml").read_text()).substitute(CA_BUNDLE=authority)
        self._kubectl("apply", "-f", "-", stdin=manifest)
        # New configurations take effect a moment after they are written.
        wait_until("the webhook annotates a pod", lambda: "mutated" in self._dry_run(_pod(strict=True)), seconds=20)

    def policy(self) -> None:
        forbidden = _object("v1", "ConfigMap", {"name": "forbidden"})
        wait_until("the policy denies", lambda: "smoke says no" in self._dry_run(forbidden), seconds=20)

    def pod_security(self) -> None:
        _expect('violates PodSecurity "restricted', self._dry_run(_pod(strict=False)))

    def clean_up(self) -> None:
        self._kubectl("delete", ADMISSION_KINDS, "cluster-smoke", "--ignore-not-found", "--wait=false")
        self._kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")

    def _dry_run(self, manifest: str) -> str:
        """What the API server would make of the object, or why it would refuse it."""
        words = [*self._base(), "create", "--dry-run=server", "--output=json", "-f", "-"]
        done = subprocess.run(words, input=manifest, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def _create(self, api: str, kind: str, metadata: Mapping[str, Any], rest: Mapping[str, Any] | None = None) -> str:
        return self._kubectl("create", "--output=json", "-f", "-", stdin=_object(api, kind, metadata, rest))

    def _in_app(self, *command: str) -> str:
        return self._kubectl("exec", "deployment/web", "--container=app", "--", *command)

    def _base(self) -> list[str | Path]:
        context = [f"--kubeconfig={self._layout.kubeconfig}", f"--namespace={NAMESPACE}"]
        return [self._layout.bin / "kubectl", *context]

    def _kubectl(self, *words: str | Path, stdin: str | None = None) -> str:
        return run([*self._base(), *words], stdin=stdin)


def _object(api: str, kind: str, metadata: Mapping[str, Any], rest: Mapping[str, Any] | None = None) -> str:
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": metadata, **(rest or {})})


def _pod(*, strict: bool) -> str:
    """A pod that the webhook looks at; only a strict one is fit for the namespace's security level."""
    container: dict[str, Any] = {"name": "app", "image": BASE, "command": ["true"]}
    spec: dict[str, Any] = {"containers": [container]}
    if strict:
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return _object("v1", "Pod", {"name": "looked-at", "labels": {"smoke": "mutate"}}, {"spec": spec})


def _expect(wanted: str, text: str) -> None:
    if wanted not in text:
        raise ClusterError(f"expected {wanted!r}, got: {text.strip()[:500]!r}")
