"""Tests of the production settings.

Commands run in separate processes with the environment variables of a deployment.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from audit.transparency.notes import PrivateKey
from hotelagent.settings.environment import SECRETS, Environment, read_secret
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tests.conftest import ALPHA_HOST
from tests.embedded import checkout as checkouts
from tests.programs import run_python

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = "hotelagent.settings.production"
ENVIRONMENT = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "PLATFORM_HOST": "hotels.example",
    "DATABASE_URL": "postgres://app:secret-of-app@127.0.0.1:6432/hotelagent",
    "DATABASE_DIRECT_URL": "postgres://owner:secret-of-owner@127.0.0.1:5432/hotelagent",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "EMAIL_URL": "smtp+tls://user:password@smtp.example:587",
    "DEFAULT_FROM_EMAIL": "Hotels <no-reply@hotels.example>",
    "TRUSTED_PROXY_HOPS": "1",
    "PROMETHEUS_MULTIPROC_DIR": "/tmp",  # noqa: S108 - the check writes no metrics
    "AUDIT_SIGNING_KEY": PrivateKey.generate("hotels.example").text,
}


def inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}


def manage(*arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {**inherited(), "DJANGO_SETTINGS_MODULE": PRODUCTION, **environment}
    return run_python("manage.py", *arguments, environment=variables, folder=folder)


def print_settings(expression: str, **environment: str) -> str:
    """Return what `print` shows for an expression, in which `s` is the module of the production settings."""
    program = f"from {PRODUCTION.rpartition('.')[0]} import production as s; print({expression})"
    done = run_python("-c", program, environment={**inherited(), **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run_check(**environment: str) -> subprocess.CompletedProcess[str]:
    return manage("check", "--deploy", folder=ROOT, environment=environment)


def run_check_in(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return manage("check", "--deploy", folder=folder, environment=environment)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a copy of this checkout whose static files have been collected."""
    folder = tmp_path_factory.mktemp("deployed")
    checkouts.copy(folder)
    done = manage("collectstatic", "--no-input", folder=folder, environment=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return folder


def test_check_with_all_required_variables_reports_no_issues(deployed: Path) -> None:
    done = run_check_in(deployed, **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout, done.stderr


def test_check_without_recommended_variables_names_each_variable(deployed: Path) -> None:
    recommended = {"TRUSTED_PROXY_HOPS", "PROMETHEUS_MULTIPROC_DIR"}
    done = run_check_in(deployed, **{key: ENVIRONMENT[key] for key in ENVIRONMENT.keys() - recommended})
    for name in recommended:
        assert f"{name} is not set" in done.stderr
        assert f"HINT: Set {name} to" in done.stderr


def test_check_with_an_outdated_static_file_names_the_file(deployed: Path) -> None:
    collected = deployed / ".hotelagent" / "static" / "hotelagent" / "icon.svg"
    content = collected.read_bytes()
    collected.write_bytes(b"<svg/>")
    try:
        done = run_check_in(deployed, **ENVIRONMENT)
    finally:
        collected.write_bytes(content)
    assert done.returncode == 1
    assert "hotelagent/icon.svg" in done.stderr
    assert "collectstatic" in done.stderr


def test_check_reports_that_the_static_files_have_not_been_collected(deployed: Path) -> None:
    collected, elsewhere = (deployed / ".hotelagent" / name for name in ("static", "static-elsewhere"))
    collected.rename(elsewhere)
    try:
        done = run_check_in(deployed, **ENVIRONMENT)
    finally:
        elsewhere.rename(collected)
    assert done.returncode == 1
    assert "The static files have not been collected" in done.stderr
    assert "collectstatic" in done.stderr


def test_deployment_check_with_an_installed_package_of_another_version_names_the_package(
    deployed: Path,
) -> None:
    pinned = deployed / "requirements" / "production.txt"
    content = pinned.read_text()
    pinned.write_text(content.replace("gunicorn==", "gunicorn==1.") + "\nno-such-package==1.0 \\\n")
    try:
        done = run_check_in(deployed, **ENVIRONMENT)
    finally:
        pinned.write_text(content)
    assert "requirements/production.txt: gunicorn, no-such-package." in done.stderr
    assert "pip install" in done.stderr


def test_command_without_a_required_package_names_the_package_without_a_traceback(tmp_path: Path) -> None:
    # This line makes the command ignore the installed package.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hider:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'celery': raise ModuleNotFoundError('No module named celery', name=name)\n"
        "sys.meta_path.insert(0, Hider())\n"
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env={**inherited(), "DJANGO_SETTINGS_MODULE": PRODUCTION, **ENVIRONMENT, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("celery is not installed")
    assert "requirements/production.txt" in done.stderr


def test_check_warns_if_staff_of_the_platform_need_no_second_factor() -> None:
    assert "hotelagent.W014" in run_check(**ENVIRONMENT, TWO_FACTOR_FOR_PLATFORM="false").stderr
    assert "hotelagent.W014" not in run_check(**ENVIRONMENT).stderr
    assert print_settings("s.TWO_FACTOR_FOR_PLATFORM", **ENVIRONMENT) == "True"


def test_check_without_required_variables_names_the_variables() -> None:
    done = run_check(SECRET_KEY=ENVIRONMENT["SECRET_KEY"])
    assert done.returncode == 1
    variables = [line.strip().partition(":")[0] for line in done.stderr.splitlines()[1:]]
    assert variables == ["DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PLATFORM_HOST", "DEFAULT_FROM_EMAIL"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PORT", "eighty"),
        ("TRUSTED_PROXY_HOPS", "1.5"),
        ("OUTGOING_HTTP_PORTS", "443,https"),
        ("OUTGOING_HTTP_PORTS", "0"),
        ("OUTGOING_HTTP_PORTS", ""),
        ("DATABASE_ROLES", "perhaps"),
        ("EMAIL_URL", "pigeon://roof"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("LOG_LEVEL", "LOUD"),
        ("SENTRY_DSN", "nonsense"),
    ],
)
def test_check_with_an_invalid_value_names_the_variable_without_a_traceback(name: str, wrong: str) -> None:
    done = run_check(**{**ENVIRONMENT, name: wrong})
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_check_reports_both_an_invalid_host_and_an_invalid_sender_without_a_traceback() -> None:
    wrong = {"PLATFORM_HOST": "https://hotels.example/", "DEFAULT_FROM_EMAIL": "nobody"}
    done = run_check(**{**ENVIRONMENT, **wrong})
    assert done.returncode == 1
    assert "PLATFORM_HOST is 'https://hotels.example/', which is not a valid host name" in done.stderr
    assert "DEFAULT_FROM_EMAIL 'nobody' is not a valid e-mail address" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["$a&d3*0k#skh)!5o)$))zz9&%hr@-akid5zh--05ei790+wn0$r", "$HOME", r"\$x"])
def test_environment_value_that_begins_with_a_dollar_sign_is_taken_literally(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("METRICS_TOKEN", value)
    assert Environment().str("METRICS_TOKEN") == value


def test_secret_key_that_begins_with_a_dollar_sign_is_taken_literally() -> None:
    key = f"${ENVIRONMENT['SECRET_KEY']}"
    assert print_settings("s.SECRET_KEY", **{**ENVIRONMENT, "SECRET_KEY": key}) == key


def test_secrets_in_files_are_used_as_if_they_were_in_the_environment(tmp_path: Path) -> None:
    environment = dict(ENVIRONMENT)
    for name in sorted(SECRETS & ENVIRONMENT.keys()):
        (tmp_path / name).write_text(f"{environment.pop(name)}\n")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    names = "[s.SECRET_KEY, s.DATABASE_URL, s.REDIS_URL, s.EMAIL_HOST]"
    assert print_settings(names, **environment) == print_settings(names, **ENVIRONMENT)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_secret_in_a_missing_file_or_in_two_places_is_an_error_that_names_the_variable(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    with pytest.raises(ImproperlyConfigured, match=f"{name}_FILE: {file} cannot be read: No such file"):
        read_secret(name, {f"{name}_FILE": str(file)})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match="does not contain text"):
        read_secret(name, {f"{name}_FILE": str(file)})
    file.write_text("from-file\r\n")
    assert read_secret(name, {f"{name}_FILE": str(file)}) == "from-file"
    assert read_secret(name, {name: "value", f"{name}_FILE": ""}) == "value"
    with pytest.raises(ImproperlyConfigured, match=f"{name} and {name}_FILE are both set") as error:
        read_secret(name, {name: "value", f"{name}_FILE": str(file)})
    assert "from-file" not in str(error.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "EMAIL_URL"])
def test_check_with_an_ambiguous_url_names_the_variable_and_the_fix(name: str) -> None:
    scheme = ENVIRONMENT[name].partition(":")[0]
    done = run_check(**{**ENVIRONMENT, name: f"{scheme}://user:hun/ter2@127.0.0.1"})
    assert done.returncode == 1
    assert name in done.stderr
    assert "%2F" in done.stderr
    assert "ter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_check_with_an_invalid_database_url_does_not_print_the_password() -> None:
    done = run_check(**{**ENVIRONMENT, "DATABASE_URL": "mysql://app:secret-of-app@127.0.0.1/hotelagent"})
    assert done.returncode == 1
    assert "DATABASE_URL is not a valid URL. Use postgresql://" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret-of-app" not in done.stderr


@pytest.mark.parametrize(("value", "expected"), [("", "0 False False"), ("86400", "86400 False False")])
def test_hsts_is_off_unless_the_environment_variable_secure_hsts_seconds_is_set(
    value: str, expected: str
) -> None:
    expression = "s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD"
    environment = {**ENVIRONMENT, **({"SECURE_HSTS_SECONDS": value} if value else {})}
    assert print_settings(expression, **environment) == expected


def test_cookies_of_production_can_only_be_set_by_the_host_itself(hotel: Hotel, settings: Any) -> None:
    expression = "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE"
    assert (
        print_settings(expression, **ENVIRONMENT)
        == "__Host-hotelagent_session __Host-hotelagent_csrf True True"
    )
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = (
        "__Host-hotelagent_session",
        "__Host-hotelagent_csrf",
    )
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    with hotel_context(hotel):
        User.objects.create_user(username="rosa", password="a-Long-enough-1", role="manager")
    browser = Client(SERVER_NAME=ALPHA_HOST)
    login = {"username": "rosa", "password": "a-Long-enough-1"}
    response = browser.post("/admin/login/", login, secure=True)
    # Browsers refuse a cookie with this prefix that is not secure, has a domain, or has another path.
    for name in ("__Host-hotelagent_session", "__Host-hotelagent_csrf"):
        cookie = response.cookies[name]
        assert (cookie["secure"], cookie["domain"], cookie["path"]) == (True, "", "/")
    assert browser.get("/admin/", secure=True).status_code == 200
