"""Test of the codes of domain errors.

Clients rely on the codes, and the README of each app names the error classes.
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


def test_codes_of_domain_errors_are_their_class_names_in_kebab_case() -> None:
    for module in modules():
        if module.rpartition(".")[2] == "errors" and module != "hotelagent.rest.errors":
            importlib.import_module(module)
    codes = {
        error.__name__: error.code
        for error in subclasses(DomainError)
        if error.__module__.partition(".")[0] != "tests"
    }
    assert codes == {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in codes}
