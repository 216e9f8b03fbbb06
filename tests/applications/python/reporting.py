"""How the applications of Python report their steps: one JSON object a line on the standard output, all else on the
other one.

What the steps are is each application's own.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable

_Work = Callable[[], object]


class Programme:
    """The steps of an application, in the order in which they were written down."""

    def __init__(self, afterwards: Callable[[], object] = lambda: None) -> None:
        # Called after a step that failed, so that the next one begins on firm ground.
        self._afterwards = afterwards
        self._steps: dict[str, list[tuple[str, _Work]]] = {"prepare": [], "use": []}

    def prepare(self, name: str) -> Callable[[_Work], _Work]:
        """A step before anybody uses it."""
        return self._step("prepare", name)

    def use(self, name: str) -> Callable[[_Work], _Work]:
        """A step of using it. What it returns is what it shows."""
        return self._step("use", name)

    def _step(self, phase: str, name: str) -> Callable[[_Work], _Work]:
        def keep(work: _Work) -> _Work:
            self._steps[phase].append((name, work))
            return work

        return keep

    def run(self) -> None:
        """Run the phase that the command line names."""
        # What the application and its children print by themselves is no report.
        report = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        for name, work in self._steps[sys.argv[1]]:
            print(f"=== {name}", file=sys.stderr, flush=True)
            outcome = self._perform(name, work)
            report.write(json.dumps(outcome, ensure_ascii=False) + "\n")
            report.flush()

    def _perform(self, name: str, work: _Work) -> dict[str, object]:
        try:
            shown = work()
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            self._afterwards()
            return {"step": name, "ok": False, "error": one_line(error)}
        return {"step": name, "ok": True, "shows": shown if isinstance(shown, str) else repr(shown)}


def one_line(error: BaseException) -> str:
    """An error's name and words."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:1000]
