"""Tests of the table in deploy/asvs.md: it has a row for each requirement, and the files that it names exist."""

import re
from collections import Counter
from pathlib import Path

import pytest

from hotelagent.embedded import paths

TABLE = Path(paths.CHECKOUT, "deploy", "asvs.md")
#: The number of the last requirement of each section of ASVS 4.0.3, up to level 2.
SECTIONS = {
    "1.1": 7, "1.2": 4, "1.4": 5, "1.5": 4, "1.6": 4, "1.7": 2, "1.8": 2, "1.9": 2, "1.10": 1, "1.11": 2, "1.12": 2,
    "1.14": 6,
    "2.1": 12, "2.2": 3, "2.3": 3, "2.4": 5, "2.5": 7, "2.6": 3, "2.7": 6, "2.8": 7, "2.9": 3, "2.10": 4,
    "3.1": 1, "3.2": 4, "3.3": 4, "3.4": 5, "3.5": 3, "3.7": 1,
    "4.1": 5, "4.2": 2, "4.3": 3,
    "5.1": 5, "5.2": 8, "5.3": 10, "5.4": 3, "5.5": 4,
    "6.1": 3, "6.2": 6, "6.3": 2, "6.4": 2,
    "7.1": 4, "7.2": 2, "7.3": 4, "7.4": 3,
    "8.1": 4, "8.2": 3, "8.3": 8,
    "9.1": 3, "9.2": 4,
    "10.2": 2, "10.3": 3,
    "11.1": 8,
    "12.1": 3, "12.2": 1, "12.3": 6, "12.4": 2, "12.5": 2, "12.6": 1,
    "13.1": 5, "13.2": 6, "13.3": 2, "13.4": 2,
    "14.1": 4, "14.2": 6, "14.3": 3, "14.4": 7, "14.5": 4,
}  # fmt: skip
#: Numbers that ASVS 4.0.3 has deleted.
DELETED = {"1.4.2", "1.4.3", "1.12.1", "4.1.4", "7.3.2", "13.1.2", "13.2.4", "14.3.1"}
STATUSES = {"met", "partly met", "not met", "not applicable"}
#: A path in the repository: `folder/file`, or the name of a file in the root folder.
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+|README\.md|pyproject\.toml)`")


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.read_text().splitlines() if re.match(r"\| \d+\.\d+\.\d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def missing_files(text: str) -> list[str]:
    """Return the paths in the text that do not exist. A media type such as `application/json` is not a path."""
    named = {path for path in PATH.findall(text) if not path.startswith("application/")}
    return sorted(path for path in named if not Path(paths.CHECKOUT, path).exists())


def test_table_has_one_row_for_each_requirement() -> None:
    required = {f"{section}.{number}" for section, last in SECTIONS.items() for number in range(1, last + 1)}
    numbers = Counter(row[0] for row in rows())
    assert numbers == dict.fromkeys(required - DELETED, 1)


def test_rows_have_a_level_a_status_and_a_reason() -> None:
    for number, level, summary, status, reason, tests in rows():
        assert level in {"1", "2"}, number
        assert summary, number
        assert status in STATUSES, number
        assert reason, number
        assert not tests or status != "not met", number


def test_summary_counts_the_rows() -> None:
    counted = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", TABLE.read_text(), re.MULTILINE))
    assert {status: int(number) for status, number in counted.items()} == Counter(row[3] for row in rows())


def test_files_named_in_the_table_exist() -> None:
    assert missing_files(TABLE.read_text()) == []


@pytest.mark.parametrize("text", ["`tests/none/test_none.py`", "`deploy/none.md`, `README.md`"])
def test_check_of_files_finds_a_file_that_does_not_exist(text: str) -> None:
    assert missing_files(text) == [PATH.findall(text)[0]]


def test_tests_in_the_table_are_test_modules() -> None:
    for row in rows():
        for path in PATH.findall(row[5]):
            assert Path(path).name.startswith("test_"), row[0]
