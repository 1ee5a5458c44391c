"""Tests of the conversion of country names, and a test that the importer loads no modules that it does not need."""

import subprocess
import sys

import pytest

from hotelagent.embedded import paths
from reminders.reservations.importing.values.countries import country_code


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


def test_start_and_country_lookup_do_not_load_phone_number_tables_or_workbook_reader() -> None:
    # Loading these modules would slow down the start of each process. The tables for phone numbers take 100 MB of
    # memory.
    program = (
        "import sys, django; django.setup(); import hotelagent.urls.hotel; "
        "from reminders.reservations.importing.values.countries import country_code; "
        "print(country_code('Alemania'), {'openpyxl', 'phonenumbers.geodata'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "DEU set()\n"
