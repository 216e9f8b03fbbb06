"""Makes pglast's nodes quick to build: more than half of what a parse takes goes into setting their attributes.

pglast checks and converts each value whenever an attribute is set, and looks up anew each time what the attribute
takes. Here that is looked up once, by the value's exact class. What has no entry goes pglast's own way, so that trees
and errors are the same. What doesn't belong: what trees mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pglast import ast, enums

_Convert = Callable[[Any], Any]
_AS_IT_IS = None
_INTEGERS = frozenset(
    {"AclMode", "AttrNumber", "Index", "ParseLoc", "RelFileNumber", "SubTransactionId", "bits32", "int", "int16",
     "int32", "long", "uint32", "uint64"}
)  # fmt: skip

_theirs = ast.Node.__setattr__
_plainly = object.__setattr__


def install() -> None:
    """Let all nodes of this process be built so; more than once is the same as once."""
    ast.Node.__setattr__ = _set  # type: ignore[method-assign,assignment]  # a function in a method's place


def _set(node: ast.Node, name: str, value: Any) -> None:
    if value is not None:
        try:
            convert = _TAKES[node.__class__][name][value.__class__]
            if convert is not None:
                value = convert(value)
        except KeyError:
            _theirs(node, name, value)
            return
    _plainly(node, name, value)


def _members(value: tuple[Any, ...]) -> tuple[Any, ...]:
    for one in value:
        if one.__class__ is dict:
            raise KeyError
    return value


def _character(value: str) -> str:
    if len(value) != 1:
        raise KeyError
    return value


def _classes(parent: type[ast.Node]) -> list[type[ast.Node]]:
    return [one for child in parent.__subclasses__() for one in (child, *_classes(child))]


_NODES: dict[type, _Convert | None] = dict.fromkeys(_classes(ast.Node), _AS_IT_IS)
_KNOWN: dict[str, dict[type, _Convert | None]] = {
    "bool": {bool: _AS_IT_IS, int: bool},
    "char": {str: _character},
    "char*": {str: _AS_IT_IS},
    "Cost": {float: _AS_IT_IS},
    "Cardinality": {float: _AS_IT_IS},
    "List*": {tuple: _members},
    "Node*": {**_NODES, tuple: _members},
    "Expr*": {**_NODES, tuple: _members},
    "ValUnion": _NODES,
    **{name: {int: _AS_IT_IS} for name in _INTEGERS},
}


def _taken(c_type: str) -> Mapping[type, _Convert | None]:
    """By the exact class of a value, what makes of it what an attribute of that type holds."""
    kind = getattr(enums, c_type, None)
    if kind is not None:
        return {int: kind._value2member_map_.__getitem__, kind: _AS_IT_IS}
    if c_type in _KNOWN:
        return _KNOWN[c_type]
    pointed = getattr(ast, c_type.removesuffix("*"), None)
    return {pointed: _AS_IT_IS} if c_type.endswith("*") and pointed in _NODES else {}


# pglast keeps the types of a class's attributes in its slots.
_SLOTS: dict[type, Any] = {kind: vars(kind)["__slots__"] for kind in _NODES}
_TAKES: dict[type, dict[str, Mapping[type, _Convert | None]]] = {
    kind: {name: _taken(slot.c_type) for name, slot in slots.items()}
    for kind, slots in _SLOTS.items()
    if isinstance(slots, dict)
}
