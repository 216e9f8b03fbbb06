"""Bodies in PL/pgSQL: their statements, and the SQL in them, which goes to `function_bodies.py`.

The parser gives a tree as JSON that leaves some things out. So every word of the source has to be found again: in an
expression of the tree, as a name that the body declares, or among PL/pgSQL's own keywords; else it is not understood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pglast import ast, parse_plpgsql, parse_sql
from pglast.parser import ParseError, scan

from penstock_core.sql.allowlists.system_relations import TYPES
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.function_bodies import BodyReader, Name, NotUnderstood
from penstock_core.sql.catalog.model import Argument, Routine
from penstock_core.sql.syntax.type_names import type_node

# RawParseMode: a statement, an expression, and an assignment to a variable of one, two or three names.
_STATEMENT, _EXPRESSION, _ASSIGNMENTS = 0, 2, (3, 4, 5)
# Statements of the tree that need no more than that their parts be read.
_PLAIN = words("""
    PLpgSQL_stmt_block PLpgSQL_stmt_assign PLpgSQL_stmt_if PLpgSQL_if_elsif PLpgSQL_stmt_case PLpgSQL_case_when
    PLpgSQL_stmt_loop PLpgSQL_stmt_while PLpgSQL_stmt_fori PLpgSQL_stmt_fors PLpgSQL_stmt_forc PLpgSQL_stmt_foreach_a
    PLpgSQL_stmt_exit PLpgSQL_stmt_return PLpgSQL_stmt_return_next PLpgSQL_stmt_return_query PLpgSQL_stmt_assert
    PLpgSQL_stmt_execsql PLpgSQL_stmt_perform PLpgSQL_stmt_getdiag PLpgSQL_diag_item PLpgSQL_stmt_open
    PLpgSQL_stmt_fetch PLpgSQL_stmt_close PLpgSQL_stmt_call PLpgSQL_stmt_raise PLpgSQL_exception_block PLpgSQL_exception
    PLpgSQL_condition PLpgSQL_raise_option PLpgSQL_function PLpgSQL_recfield PLpgSQL_row PLpgSQL_rec PLpgSQL_var
""")
_DYNAMIC = words("PLpgSQL_stmt_dynexecute PLpgSQL_stmt_dynfors dynquery")
# What may be left of the source once the expressions are taken out, besides names.
_KEYWORDS = words("""
    absolute all and array as assert backward begin by call case close column_name constant constraint_name continue
    current cursor debug declare default detail else elsif elseif end errcode error exception exit fetch first for
    foreach forward found from get diagnostics hint if in info insert into is last log loop message message_text move
    next no not notice null of open option or others perform pg_context pg_datatype_name pg_exception_context
    pg_exception_detail pg_exception_hint prior query raise record refcursor relative result_oid return
    returned_sqlstate reverse row_count rowtype schema schema_name scroll select slice sqlstate stacked strict table
    table_name then to type use_column use_variable variable_conflict warning when while using update delete merge
    array constraint column datatype collate error print_strict_params on off rollback commit chain
""")
_TYPE_WORDS = TYPES | words("""
    bigint binary boolean character char decimal double float int integer national nchar numeric precision real
    smallint time timestamp varying with without zone bit interval year month day hour minute second pg_catalog
""")
# What may stand where a declaration has a type.
_DECLARED = words("alias cursor no record refcursor scroll")
_SIGNS = frozenset({";", ",", "(", ")", ".", "..", ":=", "=", "%", "<<", ">>", "[", "]", "#", "-", "+"})
# Types that stand for others in the header that the parser is given; it needs to know rows from values alone.
_PSEUDO = {"trigger": "trigger", "event_trigger": "event_trigger", "void": "void", "record": "record"}


def read_plpgsql(routine: Routine, reader: BodyReader) -> None:
    """Read the body; raises NotUnderstood, or what the parser raises."""
    source, rows = _row_types(routine.source)
    reader.body.types_of |= rows
    source, types = _declared_types(source, "text")
    reader.body.types |= types
    try:
        (tree,) = parse_plpgsql(_definition(routine, source))
    except ParseError:
        # One of them may be a row's.
        source, _ = _declared_types(_row_types(routine.source)[0], "record")
        (tree,) = parse_plpgsql(_definition(routine, source))
    body = _Reader(routine, source, reader)
    body.node("PLpgSQL_function", tree["PLpgSQL_function"])
    body.leftovers()


def _row_types(source: str) -> tuple[str, set[tuple[str, ...]]]:
    """The source with `record` in place of `relation%ROWTYPE`, which the parser takes for a single value; and the
    relations that were named so.
    """
    tokens = _tokens(source)
    named: set[tuple[str, ...]] = set()
    pieces, end = [], len(source)
    for place in range(len(tokens) - 1, 1, -1):
        if tokens[place][2] != "rowtype" or tokens[place - 1][2] != "%":
            continue
        first = place - 2
        while first >= 2 and tokens[first - 1][2] == ".":
            first -= 2
        named.add(tuple(word.strip('"') for _, _, word, _ in tokens[first : place - 1] if word != "."))
        pieces.append(source[tokens[place][1] : end])
        end = tokens[first][0]
    return source[:end] + "".join(f"record{piece}" for piece in reversed(pieces)), named


def _declared_types(source: str, instead: str) -> tuple[str, set[Name]]:
    """The source with another type in place of those that are the user's, which the parser does not know; and their
    names.
    """
    named: set[Name] = set()
    pieces, end = [], 0
    tokens = _tokens(source)
    words = [word for _, _, word, _ in tokens]
    declaring = False
    for place, word in enumerate(words):
        if word in ("declare", "begin"):
            declaring = word == "declare"
        if not declaring or word not in ("declare", ";") or words[place + 1 : place + 2] == ["begin"]:
            continue
        first = place + 2 + (words[place + 2 : place + 3] == ["constant"])
        schema, dot, name, behind = [*words[first : first + 4], "", "", "", ""][:4]
        if dot == "." and behind not in (".", "%") and schema != "pg_catalog":
            named.add((schema.strip('"'), name.strip('"')))
            last = first + 2
        elif dot not in (".", "%") and schema.strip('"').isidentifier() and schema not in _TYPE_WORDS | _DECLARED:
            named.add(("", schema.strip('"')))
            last = first
        else:
            continue
        pieces.append(f"{source[end : tokens[first][0]]}{instead}")
        end = tokens[last][1]
    return "".join([*pieces, source[end:]]), named


def _definition(routine: Routine, source: str) -> str:
    """The function for the parser: its parameters by name, and whether it returns rows, a trigger's or its own."""
    tag = "$body$"
    while tag in source:
        tag = f"$x{tag[1:]}"
    arguments = ", ".join(f"{_MODES[one.mode]} {_quoted(one.name)} {_stand_in(one)}" for one in routine.arguments)
    many = "SETOF " if routine.returns_set else ""
    returns = "" if routine.kind == "p" else f"RETURNS {many}{_PSEUDO.get(routine.returns[1], 'record')}"
    if any(one.mode in "obt" for one in routine.arguments):
        returns = f"RETURNS {many}record" if many else ""
    what = "PROCEDURE" if routine.kind == "p" else "FUNCTION"
    return f"CREATE {what} f({arguments}) {returns} LANGUAGE plpgsql AS {tag}{source}{tag}"


_MODES = {"i": "IN", "v": "IN", "o": "OUT", "t": "OUT", "b": "INOUT"}


def _stand_in(argument: Argument) -> str:
    schema, name = argument.type
    simple = schema == "pg_catalog" and name in TYPES and not name.startswith("any")
    return f'pg_catalog."{name}"' if simple and name != "record" else "record"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if name else ""


class _Reader:
    """Follows one tree; what its expressions name gathers in the reader of SQL."""

    def __init__(self, routine: Routine, source: str, reader: BodyReader) -> None:
        self._routine = routine
        self._source = source
        self._sql = reader
        # Words of the source that the tree accounts for.
        self._seen: Counter[str] = Counter()
        # Names that the body declares, and those of types.
        self._names: set[str] = {one.name.lower() for one in routine.arguments}
        # How often NEW and OLD stand where no expression does: what INTO fills.
        self._rows = 0

    def node(self, kind: str, node: Mapping[str, Any]) -> None:
        match kind:
            case "PLpgSQL_expr":
                self._expression(node["query"], node.get("parseMode", _STATEMENT))
                return
            case "PLpgSQL_type":
                self._type(node["typname"])
                return
            case "PLpgSQL_stmt_commit" | "PLpgSQL_stmt_rollback":
                self._sql.body.commits = True
            case "PLpgSQL_stmt_call":
                self._called(node)
            case "PLpgSQL_rec" | "PLpgSQL_row":
                self._row(kind, node)
            case _ if kind not in _PLAIN:
                dynamic = kind in _DYNAMIC
                raise NotUnderstood("it runs SQL that it computes (EXECUTE)" if dynamic else f"it uses {kind}")
        self._parts(node)

    def _parts(self, node: Mapping[str, Any]) -> None:
        for name, value in node.items():
            if name in _DYNAMIC:
                raise NotUnderstood("it runs SQL that it computes (EXECUTE)")
            if name in ("refname", "label", "condname", "fieldname", "name"):
                self._names.update(_words_in(str(value)))
            if name in ("target", "var") and isinstance(value, Mapping):
                self._target(value)
            for kind, part in _nodes(value):
                self.node(kind, part)

    def _row(self, kind: str, node: Mapping[str, Any]) -> None:
        """The variables that a row is made of; `new.x` among them is one of the fields of the trigger's row."""
        for one in node.get("fields", ()) if kind == "PLpgSQL_row" else ():
            self._names.update(_words_in(one["name"]))

    def _called(self, node: Mapping[str, Any]) -> None:
        """A procedure, which may set what it is called with: fields of the trigger's row, too."""
        (statement,) = parse_sql(node["expr"]["PLpgSQL_expr"]["query"])
        call = statement.stmt.funccall if isinstance(statement.stmt, ast.CallStmt) else None
        for argument in (call.args if call is not None else None) or ():
            value = argument.arg if isinstance(argument, ast.NamedArgExpr) else argument
            fields: list[Any] = list(value.fields or ()) if isinstance(value, ast.ColumnRef) else []
            names = [getattr(part, "sval", None) or "" for part in fields]
            if names[:1] in (["new"], ["old"]):
                if len(names) != 2:
                    raise NotUnderstood("it replaces the row of its trigger")
                self._sql.body.row.assigned.add(names[1])

    def _target(self, value: Mapping[str, Any]) -> None:
        """What INTO, FETCH or FOR fills."""
        for kind, node in value.items():
            if node.get("refname", "").lower() in ("new", "old"):
                raise NotUnderstood("it replaces the row of its trigger")
            for one in node.get("fields", ()) if kind == "PLpgSQL_row" else ():
                row, _, name = one["name"].lower().partition(".")
                if row in ("new", "old"):
                    self._rows += 1
                    self._sql.body.row.assigned.add(name)

    # ---- expressions and types

    def _expression(self, text: str, mode: int) -> None:
        self._seen.update(_words_in(text))
        if mode == _STATEMENT:
            self._sql.text(text)
        elif mode == _EXPRESSION:
            self._value(text)
        elif mode in _ASSIGNMENTS:
            target, value = _assignment(text)
            self._value(value)
            self._assigned(target)
        else:
            raise NotUnderstood("it has an expression of an unknown kind")

    def _value(self, text: str) -> None:
        self._sql.text(f"SELECT {text}")

    def _assigned(self, target: str) -> None:
        (statement,) = parse_sql(f"SELECT {target}")
        select = statement.stmt
        targets = select.targetList if isinstance(select, ast.SelectStmt) else None
        node = targets[0].val if targets and len(targets) == 1 else None
        names = [part.sval or "" for part in node.fields or ()] if isinstance(node, ast.ColumnRef) else []
        if names[:1] in (["new"], ["old"]):
            if len(names) != 2:
                raise NotUnderstood("it replaces the row of its trigger")
            self._sql.body.row.assigned.add(names[1])
            return
        self._value(target)
        if isinstance(node, ast.A_Indirection) and isinstance(node.arg, ast.ColumnRef):
            row, *rest = [part.sval or "" for part in node.arg.fields or ()]
            if row in ("new", "old"):
                self._sql.body.row.assigned.update(rest[:1])

    def _type(self, text: str) -> None:
        self._names.update(_words_in(text))
        name, sign, kind = text.partition("%")
        if sign and kind.strip().lower() in ("rowtype", "type"):
            parts = type_node(name.strip()).names or ()
            self._sql.body.types_of.add(tuple(one.sval or "" for one in parts))
        elif name.lower() not in ("refcursor", "record"):
            self._sql.walk(type_node(text), 0)

    # ---- what the tree leaves out

    def leftovers(self) -> None:
        """Raises NotUnderstood for a word of the source that is accounted for nowhere."""
        tokens = [(text, kind) for _, _, text, kind in _tokens(self._source)]
        left = Counter(text for text, _ in tokens) - self._seen
        kinds = dict(tokens)
        collations = {after.strip('"') for (word, _), (after, _) in pairwise(tokens) if word == "collate"}
        known = _KEYWORDS | _TYPE_WORDS | self._names | collations
        for text in left:
            word = text.strip('"')
            if kinds[text] in ("SCONST", "ICONST", "FCONST") or text in _SIGNS or word in known:
                continue
            if not word.isidentifier():
                raise NotUnderstood(f"it has {text} in a place that is not followed")
            # A type that the parser does not know is left out, and what is declared of it.
            self._sql.body.left.add(word)
        after = [following for (text, _), (following, _) in pairwise(tokens) if text == "return"]
        rows = sum(text in ("new", "old") for text in after)
        if left["new"] + left["old"] > rows + self._rows:
            raise NotUnderstood("it uses the row of its trigger in a place that is not followed")
        if self._routine.returns[1] == "trigger" and not {"new", "old", "null", ";"}.issuperset(after):
            self._sql.body.row.whole = self._sql.body.row.replaced = True


def _nodes(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The nodes in a field of one: `{kind: {…}}`, or a list of them."""
    if isinstance(value, list):
        for part in value:
            yield from _nodes(part)
    elif isinstance(value, Mapping):
        for kind, part in value.items():
            if kind.startswith("PLpgSQL_") and isinstance(part, Mapping):
                yield kind, part


def _tokens(text: str) -> list[tuple[int, int, str, str]]:
    """Start, end, text in lower case and kind of each word but comments."""
    found = [(one.start, one.end + 1, one.name) for one in scan(text) if "COMMENT" not in one.name]
    return [(start, end, text[start:end].lower(), kind) for start, end, kind in found]


def _words_in(text: str) -> list[str]:
    return [word for _, _, word, _ in _tokens(text)]


def _assignment(text: str) -> tuple[str, str]:
    """`a[1].b := value` in two."""
    depth = 0
    for one in scan(text):
        sign = text[one.start : one.end + 1]
        depth += sign in ("(", "[")
        depth -= sign in (")", "]")
        if depth == 0 and sign in (":=", "="):
            return text[: one.start], text[one.end + 1 :]
    raise NotUnderstood("it has an assignment that is not understood")
