"""Test of the list of the slowest test files, which pytest runs first."""

from tests import plugin


def test_files_in_the_list_of_slowest_test_files_exist() -> None:
    assert [name for name in plugin.SLOWEST if not (plugin.TESTS / name).exists()] == []
