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
def imported_modules(module: str, *, inside_functions: bool) -> frozenset[str]:
    """Return the project's modules that the given module imports, without the module itself. Imports for type checkers
    (`if TYPE_CHECKING:`) are ignored, because they are not executed.
    """
    path = modules()[module]
    names = _imports(ast.parse(path.read_text()).body, module, path, inside_functions=inside_functions)
    return frozenset(owner for name in names if (owner := module_of(name)) is not None) - {module}


def module_of(name: str) -> str | None:
    """Return the module in which an object is defined.

    For the dotted name `tenants.queue.due.schedule` of a function, `tenants.queue.due` is returned. For names outside
    the project, None is returned.
    """
    while name not in modules() and "." in name:
        name = name.rpartition(".")[0]
    return name if name in modules() else None


def subclasses(base: type[T]) -> Iterator[type[T]]:
    """Yield the direct and indirect subclasses of a class that are in modules imported so far."""
    for subclass in base.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def _imports(body: list[ast.stmt], module: str, path: Path, *, inside_functions: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_names(node, module, path)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, module, path, inside_functions=inside_functions)
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _imports(getattr(node, field, []), module, path, inside_functions=inside_functions)
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body, module, path, inside_functions=inside_functions)


def _imported_names(node: ast.ImportFrom, module: str, path: Path) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parts = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
    # `from tenants.queue import due` imports the module tenants.queue.due and not a name of tenants.queue.
    yield from (f"{base}.{alias.name}" for alias in node.names)
