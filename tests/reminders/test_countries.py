"""Tests of the names and codes of countries, and a test that the importer loads no modules that it does not need."""

import subprocess
import sys

import pytest
from django.utils import translation

from hotelagent.embedded import paths
from reminders.reservations.countries import _CODES, country_code, country_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pt", "PRT"),
        ("PRT", "PRT"),
        ("Alemania", "DEU"),
        ("ドイツ", "DEU"),
        ("U.S.A.", "USA"),
        ("Atlantis", None),
    ],
)
def test_country_code_is_found_for_codes_and_for_names_in_any_language(text: str, code: str | None) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("language", "code", "name"),
    [
        ("es", "DEU", "Alemania"),
        ("pt", "DEU", "Alemanha"),
        ("en", "DEU", "Germany"),
        ("en", "DE", "Germany"),
        ("es", "PRT", "Portugal"),
        ("pt", "BEL", "Bélgica"),  # the library refers to the name in Spanish
        ("es", "XKX", "Kosovo"),
        ("es", "ZZZ", "ZZZ"),
        ("es", "", ""),
    ],
)
def test_country_name_is_in_the_active_language_and_an_unknown_code_stays(
    language: str, code: str, name: str
) -> None:
    with translation.override(language):
        assert country_name(code) == name


@pytest.mark.parametrize("language", ["en", "es", "pt"])
def test_each_country_has_a_name_that_is_found_again(language: str) -> None:
    with translation.override(language):
        names = {code: country_name(code) for code in _CODES.values()}
    assert all(len(name) > 2 for name in names.values())
    assert {code: country_code(name) for code, name in names.items()} == {code: code for code in names}


def test_start_and_country_lookup_do_not_load_phone_number_tables_or_workbook_reader() -> None:
    # Loading these modules would slow down the start of each process. The tables for phone numbers take 100 MB of
    # memory.
    program = (
        "import sys, django; django.setup(); import hotelagent.urls.hotel; "
        "from reminders.reservations.countries import country_code; "
        "print(country_code('Alemania'), {'openpyxl', 'phonenumbers.geodata'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "DEU set()\n"
