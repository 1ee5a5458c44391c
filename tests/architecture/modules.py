"""The project's Python modules and the imports between them, read from the source files."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hotelagent", "tenants", "audit", "locks", "dlq", "reminders")

T = TypeVar("T")


@cache
def modules() -> dict[str, Path]:
    """Return a dictionary that maps each module's dotted name to its file. Migrations and tests are left out."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text())


@cache
def imported_modules(module: str, *, inside_functions: bool) -> frozenset[str]:
    """Return the project's modules that the given module imports, without the module itself. Imports for type checkers
    (`if TYPE_CHECKING:`) are ignored, because they are not executed.
    """
    names = _imports(tree(module).body, module, inside_functions=inside_functions)
    return frozenset(owner for name in names if (owner := module_of(name)) is not None) - {module}


def module_of(name: str) -> str | None:
    """Return the module in which an object is defined.

    For the dotted name `tenants.queue.due.schedule` of a function, `tenants.queue.due` is returned. For names outside
    the project, None is returned.
    """
    while name not in modules() and "." in name:
        name = name.rpartition(".")[0]
    return name if name in modules() else None


def imported_names(node: ast.ImportFrom, module: str) -> dict[str, str]:
    """Return the names that an import statement defines in a module, with the dotted names of what they refer to.

    `from tenants.queue import due` imports the module tenants.queue.due and not a name of tenants.queue.
    """
    base = node.module or ""
    if node.level:
        is_package = modules()[module].name == "__init__.py"
        parts = module.split(".") if is_package else module.split(".")[:-1]
        base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
    return {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}


def subclasses(base: type[T]) -> Iterator[type[T]]:
    """Yield the direct and indirect subclasses of a class.

    Only subclasses in imported modules are found.
    """
    for subclass in base.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def _imports(body: list[ast.stmt], module: str, *, inside_functions: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from imported_names(node, module).values()
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, module, inside_functions=inside_functions)
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _imports(getattr(node, field, []), module, inside_functions=inside_functions)
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body, module, inside_functions=inside_functions)
