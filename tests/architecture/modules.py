"""The project's modules and what each imports when it is loaded, read from their text."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Left to right: the right may import the left.
APPS = ("tenants", "audit", "locks", "dlq", "reminders")
PACKAGES = (*APPS, "hotelagent")


def modules() -> dict[str, Path]:
    """Dotted name -> file, of everything but migrations and tests."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path, *, inner: bool) -> Iterator[str]:
    """The names that a module imports, dotted; `inner`: those inside functions too.

    What stands below `if TYPE_CHECKING:` is not loaded.
    """
    yield from _imports(ast.parse(path.read_text()).body, module, path, inner=inner)


def _imports(body: list[ast.stmt], module: str, path: Path, *, inner: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, module, path)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, module, path, inner=inner)
        elif inner or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _imports(getattr(node, field, []), module, path, inner=inner)
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body, module, path, inner=inner)


def _from(node: ast.ImportFrom, module: str, path: Path) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parts = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
    # `from tenants import due` loads tenants.queue.due where that is a module.
    yield from (f"{base}.{alias.name}" for alias in node.names)
