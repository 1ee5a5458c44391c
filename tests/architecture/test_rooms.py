"""Every app has the same rooms, so knowing one is knowing all."""

import pytest

from tests.architecture.modules import APPS, ROOT, modules

ROOMS = ("models", "services", "selectors", "errors", "tasks", "api", "admin", "checks", "apps", "management")
#: Rooms with nothing to put in yet.
EMPTY = {"audit": {"management", "tasks"}, "dlq": {"checks"}, "locks": {"checks"}}
LONGEST = 300  # lines


@pytest.mark.parametrize("app", APPS)
def test_an_app_has_every_room(app: str) -> None:
    # A folder without a module is not there for git: another clone would not have it.
    rooms = {
        room
        for room in ROOMS
        if (ROOT / app / f"{room}.py").exists() or any((ROOT / app / room).rglob("*.py"))
    }
    assert set(ROOMS) - rooms == EMPTY.get(app, set())


def test_a_file_is_read_in_one_sitting() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules().items()}
    assert {module: length for module, length in lengths.items() if length > LONGEST} == {}


def test_settings_are_not_imported_by_star() -> None:
    for module, path in modules().items():
        assert "import *" not in path.read_text(), module
