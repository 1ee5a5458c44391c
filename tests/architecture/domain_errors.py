"""The project's error classes that the REST API sends to clients."""

import importlib

from tenants.errors import DomainError
from tests.architecture.modules import PACKAGES, modules, subclasses


def domain_errors() -> list[type[DomainError]]:
    """Import all modules named `errors`, and return the subclasses of DomainError. Omit subclasses in tests."""
    for module in modules():
        if module.rpartition(".")[2] == "errors":
            importlib.import_module(module)
    return [error for error in subclasses(DomainError) if error.__module__.partition(".")[0] in PACKAGES]
