"""Tests of the order in which test files run."""

from tests import plugin


def test_slowest_files_exist() -> None:
    assert [name for name in plugin.SLOWEST if not (plugin.TESTS / name).exists()] == []
