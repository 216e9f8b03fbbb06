"""Writes docs/messages.md: every message with which the gate refuses something, read from the code.

    python docs/messages.py --write      python docs/messages.py --check

Of each place that words a refusal: the message, what to do (the HINT), the SQLSTATE, and when it comes, which is the
first sentence of the function's docstring. What a message is filled with is in braces.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "messages.md"
SOURCES = (
    *sorted((ROOT / "core" / "penstock_core" / "sql").rglob("*.py")),
    ROOT / "core" / "penstock_core" / "policy" / "revocation.py",
    *sorted((ROOT / "sidecar" / "penstock_sidecar" / "session").rglob("*.py")),
    *sorted((ROOT / "sidecar" / "penstock_sidecar" / "proxy").rglob("*.py")),
)
# Function → the positions of message and remedy among its arguments, and the SQLSTATE that it has unless told.
WORDING: dict[str, tuple[int, int | None, str]] = {
    "refused": (0, 1, "42501"),
    "unknown": (0, None, ""),
    "not_supported": (0, 1, "42501"),
    "Denial": (0, 1, "42501"),
    "NotBound": (0, 1, "42501"),
    "Ambiguous": (0, 1, "42501"),
    "gate_denial": (0, 1, ""),
    "fatal": (1, 2, ""),
    "held_denial": (1, 2, "42501"),
    "Revocation": (0, 1, ""),
    "TokenError": (0, 1, "28P01"),
    "TicketError": (0, 1, "28P01"),
}
# Where the SQLSTATE is, if it is not given by name.
SQLSTATES = {"unknown": 1, "gate_denial": 2, "fatal": 0, "Revocation": 2, "TicketError": 2}
HEAD = """# Messages

Every message with which the gate refuses a statement or a session, generated from the code by `make messages`.
The client reads it as `penstock: MESSAGE`, the remedy as the HINT, and the policy and rule, where one says so, as the
DETAIL. What is in braces is filled in.
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One place that words a refusal."""

    module: str
    text: str
    remedy: str
    sqlstate: str
    when: str


def messages(path: Path) -> Iterator[Message]:
    """The messages of one module, in order."""
    tree = ast.parse(path.read_text())
    module = str(path.relative_to(ROOT))
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for call in sorted(_calls(tree), key=lambda call: (call.lineno, call.col_offset)):
        around = [one for one in functions if one.lineno <= call.lineno <= (one.end_lineno or 0)]
        inner = max(around, key=lambda one: one.lineno, default=None)
        known = constants | (_assigned(inner) if inner is not None else {})
        found = _message(module, call, known, _when(around))
        if found is not None:
            yield found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORDING:
            yield node


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """The texts that local names of the function stand for."""
    found: dict[str, str] = {}
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                text = _text(value, {})
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant | ast.JoinedStr) and text:
                    found[name.id] = f"{found[name.id]} / {text}" if name.id in found else text
    return found


def _message(module: str, call: ast.Call, known: dict[str, str], when: str) -> Message | None:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    first, second, sqlstate = WORDING[name]
    if len(call.args) <= first:
        return None
    text = _text(call.args[first], known)
    if text.startswith("{") and text.endswith("}"):
        # It passes on what is worded elsewhere.
        return None
    remedy = "check the name" if name == "unknown" else ""
    if second is not None and len(call.args) > second:
        remedy = _text(call.args[second], known)
    place = SQLSTATES.get(name)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "sqlstate"]
    given += [call.args[place]] if place is not None and len(call.args) > place else []
    state = _text(given[0], known) if given else sqlstate
    suffix = " is not supported" if name == "not_supported" else ""
    return Message(module, text + suffix, remedy, state, when)


def _text(node: ast.expr, known: dict[str, str]) -> str:
    """The text that an expression makes, with what is filled in between braces."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, known) for part in parts)
        case ast.FormattedValue(value=value):
            return "{" + (value.id if isinstance(value, ast.Name) else _last(value)) + "}"
        case ast.Name(id=name):
            return known.get(name, "{" + name + "}")
        case ast.IfExp(body=one, orelse=other):
            return f"{_text(one, known)} / {_text(other, known)}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, known) + _text(right, known)
        case _:
            return "{" + _last(node) + "}"


def _last(node: ast.expr) -> str:
    names = [part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    names += [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    return names[0] if names else "…"


def _when(around: list[ast.FunctionDef | ast.AsyncFunctionDef]) -> str:
    """The first sentence of the innermost docstring."""
    for function in sorted(around, key=lambda one: -one.lineno):
        document = ast.get_docstring(function)
        if document:
            return " ".join(document.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return ""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for path in SOURCES:
        found = list(dict.fromkeys(messages(path)))
        if not found:
            continue
        lines += [f"## `{path.relative_to(ROOT)}`\n", "| message | what to do | SQLSTATE | when |", "|---|---|---|---|"]
        lines += [f"| {_cell(one.text)} | {_cell(one.remedy)} | {one.sqlstate} | {_cell(one.when)} |" for one in found]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        print("docs/messages.md is not as the code is: run make messages", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
