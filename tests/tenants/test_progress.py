"""Tests of the progress displays of long commands."""

import io

import pytest

from tenants.management.progress import item_progress


@pytest.mark.parametrize(
    ("is_terminal", "quiet", "expected"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_item_progress_shows_the_number_of_items_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, quiet: bool, expected: bool
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: is_terminal)
    with item_progress("Verifying", 300, stream=terminal, quiet=quiet) as progress:
        progress(256)
        progress(44)
    assert ("300/300" in terminal.getvalue()) is expected
    assert ("Verifying" in terminal.getvalue()) is expected
    assert bool(terminal.getvalue()) is expected
