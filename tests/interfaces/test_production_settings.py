"""A deployment's settings: what is missing is named with its cure, what is right passes Django's own checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIGHT = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "PLATFORM_HOST": "hotels.example",
    "DATABASE_URL": "postgres://app:secret-of-app@127.0.0.1:6432/hotelagent",
    "DATABASE_DIRECT_URL": "postgres://owner:secret-of-owner@127.0.0.1:5432/hotelagent",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "EMAIL_URL": "smtp+tls://user:password@smtp.example:587",
    "DEFAULT_FROM_EMAIL": "Hotels <no-reply@hotels.example>",
}


def check(**given: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT, env={**kept, "DJANGO_SETTINGS_MODULE": "hotelagent.settings.production", **given},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_it_is_clean_with_what_a_deployment_is_given() -> None:
    done = check(**RIGHT)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_it_names_each_variable_that_is_missing_and_how_to_mend_it() -> None:
    done = check(SECRET_KEY=RIGHT["SECRET_KEY"])
    assert done.returncode == 1
    named = [line.strip().partition(":")[0] for line in done.stderr.splitlines()[1:]]
    assert named == ["DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PLATFORM_HOST", "DEFAULT_FROM_EMAIL"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PORT", "eighty"),
        ("TRUSTED_PROXY_HOPS", "1.5"),
        ("DATABASE_ROLES", "perhaps"),
        ("EMAIL_URL", "pigeon://roof"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("PLATFORM_HOST", "https://hotels.example/"),
        ("LOG_LEVEL", "LOUD"),
        ("SENTRY_DSN", "nonsense"),
        ("DEFAULT_FROM_EMAIL", "nobody"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, wrong: str) -> None:
    done = check(**{**RIGHT, name: wrong})
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_one_is_one_message_without_the_secret_in_it() -> None:
    done = check(**{**RIGHT, "DATABASE_URL": "mysql://app:secret-of-app@127.0.0.1/hotelagent"})
    assert done.returncode == 1
    assert "DATABASE_URL is no PostgreSQL URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret-of-app" not in done.stderr
