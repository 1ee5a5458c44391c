"""Imports run one way: `tenants <- audit <- locks <- dlq <- reminders`, and `hotelagent/` wires them."""

import pytest

from tests.architecture.modules import APPS, PACKAGES, imports, modules

#: What an app may take from `hotelagent`: the conventions, which themselves know `tenants` and no other app.
CONVENTIONS = ("rest", "admin", "core")
#: Imports that still run upwards; the layout's next commits turn them round.
UPWARDS = {
    "reminders.reservations.importing.importer imports hotelagent.demo.shifting",
    "reminders.reservations.importing.storing imports hotelagent.demo.guests",
}
MODULES = modules()


def packages_of(module: str) -> set[tuple[str, str]]:
    """The project's packages that a module imports anywhere, each with the name as it is imported."""
    found = imports(module, MODULES[module], inner=True)
    return {(name.split(".")[0], name) for name in found if name.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_those_on_its_left(app: str) -> None:
    allowed = {*APPS[: APPS.index(app) + 1], "hotelagent"}
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.split(".")[0] == app
        for package, name in packages_of(module)
        if package not in allowed
    ]
    assert set(wrong) - UPWARDS == set()


def test_apps_take_only_conventions_from_hotelagent() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.split(".")[0] in APPS
        for package, name in packages_of(module)
        if package == "hotelagent" and name.split(".")[1] not in CONVENTIONS
    ]
    assert set(wrong) - UPWARDS == set()


def test_the_conventions_know_no_app_but_tenants() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.startswith("hotelagent.") and module.split(".")[1] in CONVENTIONS
        for package, name in packages_of(module)
        if package in APPS and package != "tenants"
    ]
    assert set(wrong) - UPWARDS == set()


def test_no_two_modules_need_each_other_to_be_loaded() -> None:
    graph = {
        module: {target for name in imports(module, path, inner=False) if (target := _module(name))}
        - {module}
        for module, path in MODULES.items()
    }
    assert _cycle(graph) == []


def _module(name: str) -> str | None:
    """`tenants.queue.due.schedule` -> `tenants.queue.due`; None for what is not ours."""
    while name not in MODULES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in MODULES else None


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(graph[module]):
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return []

    for module in sorted(graph):
        if found := walk(module, []):
            return found
    return []


def test_the_search_for_cycles_finds_one() -> None:
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
