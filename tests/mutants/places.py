"""Where the package can be broken, and how: operators of cosmic-ray, and two of our own.

A mutant is one small change of a file: a sign, a comparison, a number, a factor or a statement left
out. What nobody computes with stays as it is: docstrings, messages, annotations, decorators.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators import provider
from cosmic_ray.operators.operator import Operator

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("model", "parts", "solve", "operate", "delivery", "study")
TAKEN = (  # of the operators of cosmic-ray, one or two for each sign: the rest only raises errors
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("BitAnd_BitOr", "BitOr_BitAnd", "Pow_Mul")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_GtE", "LtE_Gt", "Gt_LtE", "GtE_Lt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Is_IsNot", "IsNot_Is")),
    *(f"ReplaceUnaryOperator_Delete_{sign}" for sign in ("USub", "Invert", "Not")),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("AddNot", "NumberReplacer", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
)
SPOKEN = ("Problem", "Remedy", "Error", "warn", "Infeasible", "Unbounded", "progress", "cast")
"""A call of a name that ends so makes words, or types: what stands in it is not changed."""


class LeaveOperandOut(Operator):
    """`a * b` becomes `a` or `b`: a factor, a term or a condition that somebody forgot.

    cosmic-ray only exchanges signs; it does not show a factor that is 1 in every test.
    """

    CHAINS = {"term": ("*",), "arith_expr": ("+", "-"), "and_expr": ("&",), "expr": ("|",)}
    CHAINS |= {"and_test": ("and",), "or_test": ("or",)}

    def mutation_positions(self, node):
        """One for each operand of a sum, a product or a condition."""
        return [
            (node.children[i].start_pos, node.children[i].end_pos) for i in self._operands(node)
        ]

    def mutate(self, node, index):
        """Remove an operand, with the sign before it; a sign behind the first is kept if minus."""
        i, children = self._operands(node)[index], list(node.children)
        if i == 0:
            children = children[1:] if children[1].value == "-" else children[2:]
        else:
            del children[i - 1 : i + 1]
        if len(children) == 1:
            children[0].get_first_leaf().prefix = node.get_first_leaf().prefix
        node.children = children
        return node

    def _operands(self, node):
        signs = self.CHAINS.get(node.type)
        if signs is None:
            return []
        words = [child.value for child in node.children[1::2]]
        first = [0] if words[0] in signs else []
        return first + [2 * i + 2 for i, word in enumerate(words) if word in signs]

    @classmethod
    def examples(cls):
        """None: tests/test_mutants.py has them."""
        return ()


class LeaveStatementOut(Operator):
    """A call whose result nobody takes, or an element that is set, becomes `pass`."""

    def mutation_positions(self, node):
        """One for each such statement."""
        if node.type != "simple_stmt":
            return []
        only = node.children[0]
        called = only.type == "atom_expr" and only.children[-1].type == "trailer"
        target = only.children[0] if only.type == "expr_stmt" else None
        kept = target is not None and target.type == "atom_expr"
        added = (
            target is not None
            and only.children[1].type == "operator"
            and (only.children[1].value not in ("=", ":"))
        )
        return [(only.start_pos, only.end_pos)] if called or kept or added else []

    def mutate(self, node, index):
        """Put `pass` in its place."""
        indent = node.children[0].get_first_leaf().prefix
        node.children[0] = get_ast("pass").children[0]
        node.children[0].get_first_leaf().prefix = indent
        return node

    @classmethod
    def examples(cls):
        """None: tests/test_mutants.py has them."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """One change: where it stands, and the line before and after."""

    file: str
    line: int
    operator: str
    occurrence: int

    def text(self) -> str:
        """The whole file with the change."""
        return changed(_read(self.file), self.operator, self.occurrence)

    def change(self) -> tuple[str, str]:
        """The lines that differ, before and after, without their indent."""
        lines = [*difflib.ndiff(_read(self.file).splitlines(), self.text().splitlines())]
        before = " ".join(line[2:].strip() for line in lines if line.startswith("- "))
        after = " ".join(line[2:].strip() for line in lines if line.startswith("+ "))
        return before, after


def operators() -> dict[str, Operator]:
    """Every operator that is used, by name."""
    known = provider.OperatorProvider()
    return {name: known[name]() for name in TAKEN} | {
        own.__name__: own() for own in (LeaveOperandOut, LeaveStatementOut)
    }


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a file of the package."""
    return [Mutant(file, *place) for place in places(_read(file))]


def places(text: str) -> Iterator[tuple[int, str, int]]:
    """Where a text can be changed: line, operator, and its how manieth place in the text."""
    nodes, kept = [*ast_nodes(get_ast(text))], _unchanged(ast.parse(text))
    for name, operator in operators().items():
        found = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(found):
            if not any(a <= start and end <= b for a, b in kept):
                yield start[0], name, occurrence


def changed(text: str, operator: str, occurrence: int) -> str:
    """The text with one change."""
    new = mutate_code(text, operators()[operator], occurrence)
    assert new is not None, f"{operator} has no place {occurrence}"
    return new


def files() -> list[str]:
    """The files of the rooms that are mutated."""
    paths = (p for room in ROOMS for p in (ROOT / "v2g_linopy" / room).rglob("*.py"))
    return sorted(p.relative_to(ROOT).as_posix() for p in paths)


def _unchanged(tree: ast.Module) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Begin and end of all that is words or types."""
    found = [part for node in ast.walk(tree) for part in _words_of(node)]
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.isupper():
                found += [node] if _is_a_type(value) else []
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in found]


def _words_of(node: ast.AST) -> list[ast.AST]:
    """What of a node is words or types: messages, names put together, annotations, decorators."""
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return [node]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name.endswith(SPOKEN):
            return [node]
        case ast.BinOp(left=one, right=other) if _is_text(one) or _is_text(other):
            return [node]
        case ast.arg(annotation=ast.AST() as kind) | ast.AnnAssign(annotation=kind):
            return [kind]
        case ast.FunctionDef(returns=kind):
            return [*node.decorator_list, *([kind] if kind is not None else [])]
        case ast.ClassDef():
            return [*node.decorator_list]
    return []


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_a_type(value: ast.expr) -> bool:
    """`X | Y` of names, or `Callable[...]`: an alias of types."""
    if isinstance(value, ast.BinOp):
        return (
            isinstance(value.op, ast.BitOr) and _is_a_type(value.left) and _is_a_type(value.right)
        )
    if isinstance(value, ast.Subscript):
        return isinstance(value.value, ast.Name | ast.Attribute)
    return isinstance(value, ast.Attribute | ast.Name) or (
        isinstance(value, ast.Constant) and value.value is None
    )


def _read(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")
