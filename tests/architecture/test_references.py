"""Tests that the files, modules, settings and commands named in docstrings, comments and documentation exist."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import global_settings
from django.core.management import get_commands

from hotelagent.settings import base
from hotelagent.settings.environment import SECRETS
from tests.architecture.modules import PACKAGES, ROOT

FOLDERS = (*PACKAGES, "data", "deploy", "requirements", "tests", ".ci", ".github")
#: Suffixes of the files that are searched. In files of the second group, comments start with a number sign.
SOURCES = frozenset({".css", ".html", ".js", ".md", ".py", ".sql"})
SHELL_LIKE = frozenset({".conf", ".env", ".ini", ".sh", ".toml", ".yaml", ".yml", ""})

_SUFFIX = "|".join(sorted(suffix[1:] for suffix in SOURCES | SHELL_LIKE if suffix))
_FILE = re.compile(rf"(?<![\w./@:{{}}*<-])(?:\.\./)*((?:[\w.-]+/)*[\w.-]*[\w-]\.(?:{_SUFFIX}))\b(?![\w/])")
_DOTTED = re.compile(rf"(?<![\w./@-])((?:{'|'.join((*PACKAGES, 'tests'))})(?:\.[A-Za-z_]\w*)+)\b(?![/@-])")
_SETTING = re.compile(r"(?<![\w$.%-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w-])")
_COMMAND = re.compile(r"manage\.py ([a-z_]+)")
_MAKE_TARGET = re.compile(r"`make ([a-z-]+)\b")

#: Files of other projects, and files inside a backup archive.
OTHER_FILES = frozenset({"Alpine.js", "Node.js", "schema/after.sql", "schema/before.sql"})
#: Uppercase names that are defined by the operating system or by other projects.
OTHER_CONSTANTS = frozenset({"TENANT_LIMIT_SET_CALLS", "TIME_WAIT"})
#: A Django permission, or the id of a system check.
_PERMISSION_OR_CHECK = re.compile(r"\w+\.(?:(?:add|change|delete|view)_\w+|[EW]\d{3})")
#: The allowed references to files outside the repository. The CI script reads public bookings from ../shared.
PUBLIC_DATA = frozenset({(".ci/run", "../shared")})

#: Prefixes of the settings that libraries read.
LIBRARIES = (
    "ANYMAIL", "CELERY_", "CONTENT_SECURITY_POLICY", "DJANGO_STRUCTLOG", "EMAIL_", "REST_FRAMEWORK",
    "SPECTACULAR", "UNFOLD", "WAFFLE_", "WHITENOISE_",
)  # fmt: skip


@cache
def project_files() -> tuple[Path, ...]:
    """Return the text files of the repository, except for migrations and this module."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return tuple(
        path
        for path in sorted(files)
        if path.suffix in SOURCES | SHELL_LIKE
        and "__pycache__" not in path.parts
        and "migrations" not in path.parts
        and path != Path(__file__)
    )


@cache
def prose_of(path: Path) -> str:
    """Return the parts of a file that are written for people: documentation, docstrings and comments."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    if path.suffix == ".py":
        return "\n".join((*docstrings_of(text), *comments_of(text)))
    if path.suffix in SHELL_LIKE:
        return "\n".join(line.partition("#")[2] for line in text.splitlines() if "#" in line)
    return ""


def docstrings_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def comments_of(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def references(pattern: re.Pattern[str]) -> set[tuple[str, str]]:
    """Return the matches of the pattern in documentation and comments, each with the path of its file."""
    return {
        (str(path.relative_to(ROOT)), name)
        for path in project_files()
        for name in pattern.findall(prose_of(path))
    }


@cache
def ends_of_paths() -> frozenset[str]:
    """Return the paths of all files in the repository, and the ends of these paths: `a/b.py` and `b.py`."""
    parts = [path.relative_to(ROOT).parts for path in project_files()]
    return frozenset("/".join(path[start:]) for path in parts for start in range(len(path)))


def test_files_named_in_documentation_and_comments_exist() -> None:
    missing = {
        (path, name)
        for path, name in references(_FILE)
        if name not in OTHER_FILES and name not in ends_of_paths() and not dotted_name_exists(name)
    }
    assert sorted(missing) == []


@cache
def names_in(module_path: Path) -> frozenset[str]:
    """Return the names that a module defines. A name defined in a class is returned as `Class.name`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module_path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return frozenset(names)


@cache
def code_of_all_modules() -> str:
    return "\n".join(path.read_text() for path in project_files() if path.suffix == ".py")


def dotted_name_exists(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        module = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
        if module.exists() or base.is_dir():
            attributes = parts[length:]
            return (
                not attributes or (module.exists() and set(attributes) <= names_in(module)) or is_label(name)
            )
    return False


def is_label(name: str) -> bool:
    """Return whether the name is the label of a model, such as `locks.Room`, or a string literal in the code."""
    app, _dot, model = name.partition(".")
    return f'"{name}"' in code_of_all_modules() or model.lower() in apps.all_models.get(app, {})


def test_modules_functions_and_classes_named_in_documentation_and_comments_exist() -> None:
    missing = {
        (path, name)
        for path, name in references(_DOTTED)
        if not dotted_name_exists(name)
        and name not in ends_of_paths()
        and not _PERMISSION_OR_CHECK.fullmatch(name)
    }
    assert sorted(missing) == []


@cache
def names_in_code() -> frozenset[str]:
    """Return all upper-case names that the project's code uses. Names in comments and documentation are left out."""
    names: set[str] = set()
    for path in project_files():
        if path.suffix == ".md":
            continue
        code = path.read_text()
        if path.suffix == ".py":
            code = "\n".join(
                token.string
                for token in tokenize.generate_tokens(io.StringIO(code).readline)
                if token.type != tokenize.COMMENT
            )
        elif path.suffix in SHELL_LIKE:
            code = "\n".join(
                line.partition(" #")[0] for line in code.splitlines() if not line.startswith("#")
            )
        names.update(_SETTING.findall(code))
    return frozenset(names)


def test_settings_named_in_documentation_and_comments_exist() -> None:
    secret_files = {f"{name}_FILE" for name in SECRETS}
    missing = {
        (path, name)
        for path, name in references(_SETTING)
        if name not in names_in_code() | secret_files | OTHER_CONSTANTS and not hasattr(global_settings, name)
    }
    assert sorted(missing) == []


def test_management_commands_named_in_documentation_and_comments_exist() -> None:
    assert (
        sorted((path, name) for path, name in references(_COMMAND) if name not in {*get_commands(), "help"})
        == []
    )


def test_targets_of_make_named_in_documentation_and_comments_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert sorted((path, name) for path, name in references(_MAKE_TARGET) if name not in targets) == []


def test_no_file_refers_to_documents_outside_the_repository() -> None:
    found = {
        (str(path.relative_to(ROOT)), word)
        for path in project_files()
        for word in re.findall(r"\bDESIGN\b|\bLAYOUT\.md\b|\bSTYLE\.md\b", path.read_text())
    }
    assert sorted(found - PUBLIC_DATA) == []


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (_FILE, "See `deploy/runbook.md` and production.py.", ["deploy/runbook.md", "production.py"]),
        (_FILE, "https://example.com/page.html", []),
        (
            _DOTTED,
            "`tenants.queue.due.schedule` of tenants.example",
            ["tenants.queue.due.schedule", "tenants.example"],
        ),
        (_DOTTED, "https://tenants.example/ or ana@hotelagent.example", []),
        (_SETTING, "Set SECRET_KEY or ${DATABASE_URL}.", ["SECRET_KEY", "DATABASE_URL"]),
        (_MAKE_TARGET, "`make run` makes it run", ["run"]),
    ],
)
def test_each_reference_pattern_finds_all_references_in_its_example(
    pattern: re.Pattern[str], text: str, expected: list[str]
) -> None:
    assert pattern.findall(text) == expected


def test_every_setting_that_the_project_defines_is_used_in_code() -> None:
    source = code_of_all_modules()
    unread = {
        name
        for name in vars(base)
        if name.isupper()
        and not name.startswith(("_", *LIBRARIES))
        and not hasattr(global_settings, name)
        and not re.search(rf"\b(?:settings|base)\.{name}\b|getattr\(settings, \"{name}\"", source)
    }
    assert sorted(unread) == []


def test_each_heading_of_a_document_is_unique() -> None:
    """A repeated heading shows that a part of the document is in the document twice."""
    repeated = {
        (str(path.relative_to(ROOT)), heading)
        for path in project_files()
        if path.suffix == ".md"
        for heading, number in Counter(re.findall(r"^#+ .+$", path.read_text(), re.MULTILINE)).items()
        if number > 1
    }
    assert repeated == set()
