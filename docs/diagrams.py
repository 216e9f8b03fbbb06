"""Draws the diagrams of documents from the code, between their `<!-- diagram: NAME -->` marks.

    python docs/diagrams.py --write FILE…      python docs/diagrams.py --check FILE…

`parts`: which part imports which. `imports`: the same for each package and each module that others beside it stand on.
`session`: the states of the session's machine.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

import grimp

from penstock_sidecar.session.diagram import mermaid as session_states

PARTS = (
    "penstock_cli", "penstock_agents", "penstock_operator", "penstock_sidecar", "penstock_collector",
    "penstock_entrance", "penstock_core",
)  # fmt: skip
# The half of the sidecar that does no I/O.
_PURE = ("penstock_sidecar.session", "penstock_sidecar.wire")
_BOXES = {
    "penstock_cli": "cli: the command",
    "penstock_agents": "agents: the MCP server",
    "penstock_operator": "operator: admission, policies, status, certificates",
    "penstock_sidecar": "sidecar: connections, catalog, spool",
    "penstock_sidecar.session": "sidecar.session, sidecar.wire: a session as a machine, no I/O",
    "penstock_collector": "collector: the audit trail, its pages",
    "penstock_entrance": "entrance: connections, bounded in number and time",
    "penstock_core": "core: policies, SQL, the form of the trail, no I/O",
}
_MARK = re.compile(r"(<!-- diagram: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def part_arrows() -> str:
    """A Mermaid graph with a box for each part."""
    graph = grimp.build_graph(*PARTS)
    arrows = _arrows(graph, lambda module: _PURE[0] if module.startswith(_PURE) else module.split(".")[0])
    lines = ["flowchart TD", *(f'    {_id(box)}["{text}"]' for box, text in _BOXES.items())]
    lines += [f"    {_id(one)} --> {_id(other)}" for one, other in sorted(arrows)]
    return "\n".join(lines) + "\n"


def _arrows(graph: grimp.ImportGraph, box: Callable[[str], str]) -> set[tuple[str, str]]:
    """Which box imports from which other."""
    found = {
        (box(module), box(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(one, other) for one, other in found if one != other}


def import_arrows() -> str:
    """A Mermaid graph: an arrow for each pair of packages of which one imports from the other."""
    graph = grimp.build_graph(*PARTS)
    arrows = _arrows(graph, lambda module: _node(graph, module))
    nodes = sorted({node for arrow in arrows for node in arrow})
    lines = ["flowchart TD"]
    for part in PARTS:
        lines.append(f"    subgraph {part.removeprefix('penstock_')}")
        lines += [f"        {_id(node)}[{_label(node)}]" for node in nodes if node.split(".")[0] == part]
        lines.append("    end")
    lines += [f"    {_id(one)} --> {_id(other)}" for one, other in sorted(arrows)]
    return "\n".join(lines) + "\n"


def _node(graph: grimp.ImportGraph, module: str) -> str:
    """What a module is drawn as: its part's subpackage; itself, where others of the part import it; else the part."""
    parts = module.split(".")
    second = ".".join(parts[:2])
    if len(parts) > 2 or (len(parts) == 2 and graph.find_children(second)):
        return second
    importers = {importer.split(".")[0] for importer in graph.find_modules_that_directly_import(module)}
    return second if parts[0] in importers else parts[0]


def _id(node: str) -> str:
    name = node.removeprefix("penstock_")
    return name.replace(".", "_") if "." in name else f"{name}_itself"


def _label(node: str) -> str:
    name = node.removeprefix("penstock_")
    return name if "." in name else f"{name}: other modules"


DIAGRAMS = {"parts": part_arrows, "imports": import_arrows, "session": session_states}


def drawn(text: str) -> str:
    """The document with each diagram as the code has it now."""
    return _MARK.sub(lambda match: f"{match[1]}```mermaid\n{DIAGRAMS[match[2]]()}```\n{match[4]}", text)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE", nargs="+")
    action.add_argument("--check", type=Path, metavar="FILE", nargs="+")
    arguments = parser.parse_args()
    paths: list[Path] = arguments.write or arguments.check
    stale = [path for path in paths if drawn(path.read_text()) != path.read_text()]
    for path in stale:
        if arguments.write:
            path.write_text(drawn(path.read_text()))
        else:
            sys.stderr.write(f"{path}: a diagram is not as the code is; run `make diagrams`\n")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
