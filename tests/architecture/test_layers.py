"""Tests of the imports between modules.

Interfaces may import services and libraries, but services and libraries may not import interfaces. No two
packages import each other.
"""

import pytest

from tests.architecture.modules import imported_modules, modules

#: The layers of the project from low to high. A module belongs to the layer with the longest matching prefix.
#: A module may import modules of the same layer and of lower layers.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("hotelagent.core",),
    # modules of the app `tenants` that are not in the layer of interfaces
    (
        "tenants.context",
        "tenants.errors",
        "tenants.languages",
        "tenants.scopes",
        "tenants.signals",
        "tenants.tracked_rows",
        "tenants.unaudited",
    ),
    ("tenants.models",),
    ("tenants.database",),
    ("tenants.host_routing", "tenants.personal_data", "tenants.selectors"),
    ("tenants.checks", "tenants.queue"),
    ("tenants.access", "tenants.lifecycle"),
    ("tenants", "tenants.middleware", "tenants.services"),
    # code that the REST APIs and admin pages of all apps share
    ("hotelagent.rest",),
    ("hotelagent.admin",),
    (
        "tenants.admin",
        "tenants.api",
        "tenants.apps",
        "tenants.management",
        "tenants.tasks",
    ),
    # the other apps, each divided into models, services and interfaces (see MODELS and INTERFACES)
    ("audit",),
    ("locks",),
    ("dlq",),
    ("reminders",),
    ("hotelagent.pms",),
    ("hotelagent.agent",),
    ("hotelagent",),
)

#: Modules and packages with these names are the lowest layer of their app, if they are directly in the app's folder.
#: The app `tenants` and the code below it have their own entries in LAYERS.
#: Modules of the lowest layer contain models, queries, and the value types and constants that these need.
#: Modules of the lowest layer may not import services or interfaces.
MODELS = frozenset(
    {
        "choices",
        "database",
        "errors",
        "events",
        "holds",
        "kinds",
        "local_time",
        "models",
        "nights",
        "owner",
        "policy",
        "queries",
        "registry",
        "selectors",
        "sql",
    }
)
#: Modules and packages with these names are the highest layer, wherever they are in an app.
#: Services may not import modules of the highest layer.
INTERFACES = frozenset(
    {
        "admin",
        "api",
        "apps",
        "cards",
        "checks",
        "guest_pages",
        "management",
        "pages",
        "serializers",
        "tasks",
        "urls",
        "views",
    }
)
LAYERED_APPS = ("audit", "locks", "dlq", "reminders", "hotelagent.pms", "hotelagent.agent")

#: Production code imports nothing from these packages, which need the development requirements.
DEVELOPMENT = ("hotelagent.demo", "hotelagent.embedded")
#: The modules that start a development server or a command in development.
DEVELOPMENT_INTERFACES = ("hotelagent.management",)


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer_of(module: str) -> tuple[int, int]:
    """Return the layer of a module as two numbers.

    The first is the index in `LAYERS`. The second is the layer within an app: 0 (models), 1 (services) or 2
    (interfaces).
    """
    matches = [
        (len(prefix), index)
        for index, layer in enumerate(LAYERS)
        for prefix in layer
        if is_in(module, prefix)
    ]
    _length, index = max(matches)
    app = next((app for app in LAYERED_APPS if is_in(module, app)), None)
    if app is None:
        return index, 0
    parts = module.removeprefix(app).strip(".").split(".")
    if INTERFACES & set(parts):
        return index, 2
    return index, 0 if parts[0] in MODELS or parts[-1] == "models" else 1


def imports_of(module: str) -> frozenset[str]:
    return imported_modules(module, inside_functions=True)


def test_modules_import_only_modules_of_the_same_or_a_lower_layer() -> None:
    upward = {
        f"{module} imports {imported}"
        for module in modules()
        for imported in imports_of(module)
        if layer_of(imported) > layer_of(module)
    }
    assert sorted(upward) == []


def test_production_code_does_not_import_development_packages() -> None:
    importers = {
        f"{module} imports {imported}"
        for module in modules()
        if not any(is_in(module, package) for package in (*DEVELOPMENT, *DEVELOPMENT_INTERFACES))
        for imported in imports_of(module)
        if any(is_in(imported, package) for package in DEVELOPMENT)
    }
    assert sorted(importers) == []


def package_of(module: str) -> str:
    """Return the name of the package that contains the module, for the check that no two packages import each other.

    For interfaces, `models`, `__init__` and modules directly in an app, return the module itself. Such a module may
    import a sub-package that imports other modules of the package.
    """
    path = modules()[module]
    parts = module.split(".")
    is_in_app = len(parts) == 2 or ".".join(parts[:-1]) in LAYERED_APPS
    if is_in_app or path.name == "__init__.py" or parts[-1] in INTERFACES or parts[-1] == "models":
        return module
    return ".".join(parts[:-1])


def test_no_two_packages_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        graph.setdefault(package_of(module), set()).update(
            package_of(imported) for imported in imports_of(module)
        )
    assert cycles_of(graph) == []


def test_no_two_modules_import_each_other_at_import_time() -> None:
    graph = {module: set(imported_modules(module, inside_functions=False)) for module in modules()}
    assert cycles_of(graph) == []


def cycles_of(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the cycles of a graph: the strongly connected components with several nodes (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for target in sorted(graph.get(node, set())):
            if target not in index:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in stack:
                lowest[node] = min(lowest[node], index[target])
        if lowest[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                cycles.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return cycles


@pytest.mark.parametrize(
    ("graph", "cycles"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [["b", "c"]]),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_import_cycles_of_a_graph_are_found(graph: dict[str, set[str]], cycles: list[list[str]]) -> None:
    assert cycles_of(graph) == cycles


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("hotelagent.core.ids", "tenants.context"),
        ("tenants.services.hotels", "hotelagent.rest.views"),
        ("hotelagent.rest.views", "tenants.api.hotels"),
        ("tenants.api.hotels", "audit.models"),
        ("locks.models", "locks.services.acquiring"),
        ("locks.webhooks.delivery", "locks.webhooks.admin"),
        ("locks.api", "reminders.models"),
        ("reminders.api", "hotelagent.urls.hotel"),
    ],
)
def test_importing_module_has_a_higher_layer_than_the_imported_module(lower: str, higher: str) -> None:
    assert layer_of(lower) < layer_of(higher)
