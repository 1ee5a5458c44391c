"""Test that the REST API's error codes are derived from the names of the error classes.

API clients rely on the codes, and the README of each app names only the classes.
"""

import re

from tests.architecture.domain_errors import domain_errors


def test_code_of_each_domain_error_is_its_class_name_in_kebab_case() -> None:
    codes = {error.__name__: error.code for error in domain_errors()}
    assert codes == {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in codes}
