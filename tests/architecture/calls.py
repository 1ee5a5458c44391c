"""The functions of the project, and the functions to which each of them refers. Both are read from the source files.

If the class of an object is unknown, calls of its methods are ignored.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

from tests.architecture.modules import ROOT, imported_names, module_of, modules, tree

#: Methods of models and querysets that always change rows.
_WRITING_METHODS = frozenset(
    {"save", "create", "create_user", "bulk_create", "bulk_update", "update_or_create", "get_or_create"}
)
_QUERYSET = re.compile(r"\bobjects\b|\.(?:filter|exclude|all)\(")
_WRITING_SQL = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE\s+[\w.]+\s+(?:AS\s+\w+\s+)?SET|DELETE\s+FROM|COPY\s+\w+ \()"
)
_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION\s+(?:public\.)?(\w+)\s*\(")


@dataclass(slots=True)
class Function:
    """A function or method. `references` contains the dotted names to which the function body refers."""

    name: str
    node: ast.FunctionDef
    references: set[str] = field(default_factory=set)
    writes: bool = False
    #: The text of the SQL statements in the function's body, or in constants and files that the body names.
    sql: str = ""


@cache
def functions() -> dict[str, Function]:
    """Return all functions and methods of the project by dotted name."""
    found = {}
    for module in modules():
        for name, node in _definitions(module):
            found[name] = Function(name, node)
    methods: dict[str, set[str]] = defaultdict(set)
    for name in found:
        methods[name.rpartition(".")[0]].add(name)
    for function in found.values():
        _read_body(function, methods)
    return found


def reachable(name: str, *, stop: Callable[[str], bool]) -> set[str]:
    """Return the function and all functions that it refers to, directly or through other functions.

    A function for which `stop` returns True is not returned, and its references are not followed.
    """
    known, waiting = functions(), [name]
    seen: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current not in seen and not stop(current):
            seen.add(current)
            waiting += [other for other in known[current].references if other in known]
    return seen


@cache
def sql_functions() -> dict[str, str]:
    """Return a dict that maps the name of each database function to its SQL text."""
    texts = {}
    for path in ROOT.glob("*/sql/*.sql"):
        text = path.read_text()
        for name in _FUNCTION.findall(text):
            texts[name] = text
    return texts


def sql_text(sql: str) -> str:
    """Return the SQL statements, followed by the text of all database functions that the statements call."""
    texts, waiting, seen = [sql], [sql], set()
    while waiting:
        text = waiting.pop()
        for name, body in sql_functions().items():
            if name not in seen and re.search(rf"\b{name}\b", text):
                seen.add(name)
                texts.append(body)
                waiting.append(body)
    return "\n".join(texts)


def writes_sql(sql: str) -> bool:
    return bool(_WRITING_SQL.search(sql_text(sql)))


@cache
def _names(module: str) -> dict[str, str]:
    """Return a dict that maps each name at the top level of a module to the dotted name of the imported or defined
    object.
    """
    names = {}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            names.update(imported_names(node, module))
        elif isinstance(node, ast.Import):
            names.update({alias.asname or alias.name: alias.name for alias in node.names})
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = f"{module}.{node.name}"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    names[target.id] = f"{module}.{target.id}"
    return names


def resolve(module: str, name: str) -> str:
    """Return the dotted name of the definition to which a name in a module refers. Re-exports are followed."""
    first, _dot, rest = name.partition(".")
    full = _names(module).get(first)
    if full is None:
        return ""
    full = f"{full}.{rest}" if rest else full
    for _level in range(5):
        owner = module_of(full)
        if owner is None or owner == full:
            return full
        head, _dot, tail = full.removeprefix(f"{owner}.").partition(".")
        target = _names(owner).get(head, f"{owner}.{head}")
        target = f"{target}.{tail}" if tail else target
        if target == full:
            return full
        full = target
    return full


def _definitions(module: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef):
            yield f"{module}.{node.name}", node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{module}.{node.name}.{member.name}", member


@cache
def _constants(module: str) -> dict[str, str]:
    """Return a dict that maps the dotted names of the module's constants to the strings in their values."""
    constants = {}
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[f"{module}.{node.targets[0].id}"] = _texts(node.value)
    return constants


def _texts(node: ast.AST) -> str:
    return "\n".join(
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def module_of_function(name: str) -> str:
    module = module_of(name)
    assert module
    return module


def _read_body(function: Function, methods: dict[str, set[str]]) -> None:
    """Read the body of the function: the names that it refers to, its SQL, and the rows that it writes.

    `methods` contains the names of the methods of each class.
    """
    module = module_of_function(function.name)
    own_class = function.name.rpartition(".")[0]
    docstring = ast.get_docstring(function.node, clean=False)
    texts = [_texts(part) for part in function.node.body]
    function.sql = "\n".join(texts).replace(docstring or "\0", "")
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            function.writes |= _is_write(node.func, node)
        dotted = _dotted(node)
        if dotted is None:
            continue
        if dotted.startswith("self.") and own_class != module:
            target = f"{own_class}.{dotted.partition('.')[2]}"
        else:
            target = resolve(module, dotted)
        if not target:
            continue
        function.references.add(target)
        if target not in modules():
            function.references |= methods.get(target, set())
        owner = target.rpartition(".")[0]
        if owner in modules():
            function.sql += "\n" + _constants(owner).get(target, "")


def _is_write(method: ast.Attribute, call: ast.Call) -> bool:
    receiver = ast.unparse(method.value)
    if method.attr in _WRITING_METHODS:
        return True
    if method.attr in {"update", "delete"} and _QUERYSET.search(receiver):
        return True
    return method.attr == "delete" and not call.args and not call.keywords and receiver != "self"


def _dotted(node: ast.AST) -> str | None:
    """Return the dotted name of an expression such as `pauses.release`, or None for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)) is not None:
        return f"{base}.{node.attr}"
    return None
