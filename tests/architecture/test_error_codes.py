"""Test that the REST API's error codes are derived from the names of the error classes.

API clients rely on the codes, and the README of each app names only the classes.
"""

import importlib
import re
from collections.abc import Iterator

from tenants.errors import DomainError
from tests.architecture.modules import modules


def subclasses(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_code_of_each_domain_error_is_its_class_name_in_kebab_case() -> None:
    for module in modules():
        if module.rpartition(".")[2] == "errors" and module != "hotelagent.rest.errors":
            importlib.import_module(module)
    codes = {
        error.__name__: error.code
        for error in subclasses(DomainError)
        if error.__module__.partition(".")[0] != "tests"
    }
    assert codes == {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in codes}
