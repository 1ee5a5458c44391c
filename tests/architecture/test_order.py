"""The order in which the tests' files begin."""

from tests import plugin


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in plugin.LONGEST if not (plugin.TESTS / name).exists()] == []
