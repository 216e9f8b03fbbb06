"""kubectl and helm as the tests call them: argument lists in, text or JSON out, a failure with what was said.

What doesn't belong: what is asked of the cluster (the tests).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class CommandError(AssertionError):
    """A program ended with another status than 0; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """One cluster."""

    kubeconfig: Path
    programs: tuple[Path, ...] = ()

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """kubectl's standard output. Raises CommandError with its standard error."""
        return self.run("kubectl", *arguments, stdin=stdin, timeout=timeout)

    def helm(self, *arguments: str, timeout: float = 300) -> str:
        return self.run("helm", *arguments, timeout=timeout)

    def run(self, program: str, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        done = subprocess.run(
            [program, *arguments],
            env=self.environment(),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"{program} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and helm find the cluster, and are found."""
        path = os.pathsep.join([*map(str, self.programs), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def apply(self, *documents: dict[str, Any]) -> str:
        """`kubectl apply` of those objects."""
        return self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))

    def get(self, *arguments: str) -> dict[str, Any]:
        """One object, or a list of them, as JSON."""
        found: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def wait(self, *arguments: str, seconds: int = 120) -> None:
        self("wait", *arguments, f"--timeout={seconds}s", timeout=seconds + 30)

    def rollout(self, namespace: str, what: str, seconds: int = 180) -> None:
        self("-n", namespace, "rollout", "status", what, f"--timeout={seconds}s", timeout=seconds + 30)


def eventually(look: Callable[[], T], until: Callable[[T], bool], seconds: float = 30, what: str = "") -> T:
    """Look again and again until it is so; the last sight is in the failure."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if until(seen):
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"{what or 'it'} was not so within {seconds} s; last seen: {seen!r}")
        time.sleep(0.25)
