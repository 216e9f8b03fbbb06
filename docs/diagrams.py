"""Draws the diagrams of ARCHITECTURE.md from the code, between its `<!-- diagram: NAME -->` marks.

    python docs/diagrams.py --write ARCHITECTURE.md      python docs/diagrams.py --check ARCHITECTURE.md

`imports`: who imports whom, a node for each package and each module that others beside it stand on.
`session`: the states of the session's machine.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import grimp

from penstock_sidecar.session.diagram import mermaid as session_states

PARTS = ("penstock_cli", "penstock_operator", "penstock_sidecar", "penstock_collector", "penstock_core")
_MARK = re.compile(r"(<!-- diagram: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def import_arrows() -> str:
    """A Mermaid graph: an arrow for each pair of packages of which one imports from the other."""
    graph = grimp.build_graph(*PARTS)
    arrows: set[tuple[str, str]] = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            arrow = (_node(graph, module), _node(graph, imported))
            if arrow[0] != arrow[1]:
                arrows.add(arrow)
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


DIAGRAMS = {"imports": import_arrows, "session": session_states}


def drawn(text: str) -> str:
    """The document with each diagram as the code has it now."""
    return _MARK.sub(lambda match: f"{match[1]}```mermaid\n{DIAGRAMS[match[2]]()}```\n{match[4]}", text)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    path: Path = arguments.write or arguments.check
    before = path.read_text()
    after = drawn(before)
    if arguments.write:
        path.write_text(after)
    elif before != after:
        sys.stderr.write(f"{path}: a diagram is not as the code is; run `make diagrams`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
