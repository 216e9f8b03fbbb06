"""How the demo tells what happens: a heading, the SQL, what came of it and a remark; and what came out wrong.

What doesn't belong: what happens (`scenes.py`, `approval.py`, `command.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax

from penstock_cli.demo.scenes import Scene
from penstock_cli.demo.stage import Stage


@dataclass(slots=True)
class Telling:
    """Numbers what it tells, and keeps the titles of what did not come out right."""

    console: Console
    on_stage: Stage
    told: int = 0
    # Statements that went through the gate.
    through_gate: int = 0
    failures: list[str] = field(default_factory=list)

    def heading(self, title: str, who: str = "") -> None:
        """What comes now."""
        self.told += 1
        behind = f" [dim]({escape(who)})" if who else ""
        self.console.rule(f"[bold]{self.told}. {escape(title)}[/]{behind}", align="left")

    def scene(self, scene: Scene) -> str:
        """Play it; what psql printed."""
        self.heading(scene.title, "superuser, straight to the database" if scene.actor is None else scene.actor.name)
        self.console.print(Syntax(scene.sql, "sql", background_color="default", word_wrap=True))
        output = self.on_stage.query(scene.actor, scene.sql)
        self.through_gate += scene.actor is not None
        self.came(scene.title, output, right=scene.expected(output), remark=scene.remark)
        return output

    def came(self, title: str, output: str, *, right: bool, remark: str = "") -> None:
        """What came of it, and whether that is as it should be."""
        self.console.print(Panel.fit(escape(output), border_style="dim" if right else "red"))
        self.checked(title, right)
        if right:
            self.console.print(f"[italic]{escape(remark)}[/]\n")

    def checked(self, title: str, right: bool) -> None:
        """Keep the title of what is not as it should be."""
        if not right:
            self.failures.append(title)
            self.console.print("[bold red]this is not as it should be[/]\n")
