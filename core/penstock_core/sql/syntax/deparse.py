"""From syntax trees to text, and the proof that the text means the tree: it is parsed again and compared.

A subquery that stands in many statements is not printed and parsed each time: a name stands in its place while the rest
is printed, parsed and compared, and then its own text, proved in the same way when it was made, is put there. Where a
name with an alias may stand in FROM, so may a subquery in brackets with that alias, so nothing around it can change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pglast import ast, enums
from pglast.printers import node_printer
from pglast.stream import RawStream

from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.equivalence import means
from penstock_core.sql.syntax.expression_printer import Unprintable, quoted
from penstock_core.sql.syntax.printer import Printer

# What is printed for the n-th subquery; a relation of that name in a client's text is told apart by where it stands.
_STAND_IN = "penstock_masked_{}"
# How long a text may become: some thousand masked relations.
MAX_TEXT = 8 * 1024 * 1024
# No text of a client's may hold it.
_MARK = "\0"


def deparse(statements: Sequence[ast.Node], known: Mapping[int, str] | None = None) -> str:
    """The text of the statements. Raises Refused where it would not mean the same.

    `known` are the texts of subqueries, by the identity of their trees.
    """
    trees = tuple(statements)
    text = _printed(trees, known or {})
    if text is None:
        text = "; ".join(str(RawStream()(tree)) for tree in trees)
        if not means(text, trees, {}):
            raise refused(
                "could not verify that the rewritten statement is equivalent to the original", "simplify the statement"
            )
    return text


@node_printer(ast.SortBy, override=True)
def _sort_by(node: ast.SortBy, output: RawStream) -> None:
    """ORDER BY … USING with an operator that has a schema, which pglast itself prints without its OPERATOR()."""
    output.print_node(node.node)
    if node.sortby_dir == enums.SortByDir.SORTBY_USING:
        *schema, name = [one.sval for one in node.useOp or ()]
        output.write(f" USING OPERATOR({quoted(schema[0])}.{name})" if schema else f" USING {name}")
    elif node.sortby_dir != enums.SortByDir.SORTBY_DEFAULT:
        output.write(" ASC" if node.sortby_dir == enums.SortByDir.SORTBY_ASC else " DESC")
    if node.sortby_nulls != enums.SortByNulls.SORTBY_NULLS_DEFAULT:
        first = node.sortby_nulls == enums.SortByNulls.SORTBY_NULLS_FIRST
        output.write(f" NULLS {'FIRST' if first else 'LAST'}")


def _printed(trees: tuple[ast.Node, ...], known: Mapping[int, str]) -> str | None:
    """The text as our own printer has it; None if it can't, or if that text would not mean the same."""
    places = {tree: place for place, tree in enumerate(known)}
    try:
        marked = "; ".join(
            map(Printer({tree: f"{_MARK}{place}{_MARK}" for tree, place in places.items()}).statement, trees)
        )
    except (Unprintable, KeyError):
        return None
    # Every second part is the place of a subquery.
    parts = marked.split(_MARK)
    plain = "".join([_STAND_IN.format(part) if n % 2 else part for n, part in enumerate(parts)])
    if not means(plain, trees, {tree: _STAND_IN.format(place) for tree, place in places.items()}):
        return None
    texts = list(known.values())
    if len(plain) + sum(len(texts[int(part)]) for part in parts[1::2]) > MAX_TEXT:
        raise refused("the statement would be too long once masked columns are replaced in it", "split the statement")
    return "".join([f"({texts[int(part)]})" if n % 2 else part for n, part in enumerate(parts)])
