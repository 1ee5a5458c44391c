"""Tests that folders have few modules, and that modules are neither too long nor too short."""

from collections import Counter
from pathlib import Path

from tests.architecture.modules import ROOT, imported_modules, modules
from tests.architecture.test_layers import layer_of

#: Maximum number of modules in a folder, not counting `__init__.py`.
MODULES_PER_FOLDER = 15
LINES_PER_MODULE = 300
#: A module with fewer lines that only one other module imports is merged into that module, if both are in one layer.
MERGED_BELOW_LINES = 25

#: Modules that Django, Celery or our own registries import by name.
IMPORTED_BY_NAME = frozenset({"apps", "cards", "development", "personal_data", "tasks", "wsgi"})


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_folders_have_at_most_15_modules() -> None:
    counts = Counter(
        str(path.parent.relative_to(ROOT))
        for path in modules().values()
        # Django requires that all commands of an app are in one folder.
        if path.name != "__init__.py" and path.parent.name != "commands"
    )
    large = {folder: count for folder, count in counts.items() if count > MODULES_PER_FOLDER}
    assert large == {}


def test_modules_have_at_most_300_lines() -> None:
    long = {
        module: lines for module, path in modules().items() if (lines := lines_of(path)) > LINES_PER_MODULE
    }
    assert long == {}


def test_no_small_module_is_imported_by_only_one_other_module() -> None:
    importers: dict[str, set[str]] = {}
    for module in modules():
        for imported in imported_modules(module, inside_functions=True):
            importers.setdefault(imported, set()).add(module)
    small = {
        module: sorted(importers.get(module, set()))
        for module, path in modules().items()
        if path.name != "__init__.py"
        and module.rpartition(".")[2] not in IMPORTED_BY_NAME
        and lines_of(path) < MERGED_BELOW_LINES
        and [layer_of(importer) for importer in importers.get(module, ())] == [layer_of(module)]
    }
    assert small == {}


def test_no_module_contains_a_star_import() -> None:
    assert [module for module, path in modules().items() if "import *" in path.read_text()] == []
