"""System checks of a deployment: installed packages, static files, the reverse proxy and the metrics directory.

The checks run with `check --deploy` only. Each message names what is missing and explains how to provide it.
"""

import filecmp
import re
import ssl
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from packaging.requirements import Requirement

from hotelagent.core import metrics
from hotelagent.settings.environment import env

REQUIREMENTS = Path(settings.BASE_DIR, "requirements", "production.txt")
HTTPS_PORT = 443
PROXY_TIMEOUT_SECONDS = 3.0
_MAX_NAMES = 5
_PROXY_SETTINGS = "Host, X-Forwarded-Proto and X-Forwarded-For"


@register(Tags.compatibility, deploy=True)
def check_installed_packages(**_kwargs: Any) -> list[CheckMessage]:
    """Warn if installed packages differ from requirements/production.txt. If the file is missing, skip the check."""
    if not REQUIREMENTS.exists():
        return []
    pinned = re.findall(r"^[a-zA-Z][^\\\n]*==[^\\\n]*", REQUIREMENTS.read_text(), re.MULTILINE)
    different = [
        requirement.name
        for requirement in map(Requirement, pinned)
        if requirement.marker is None or requirement.marker.evaluate()
        if not _is_installed(requirement)
    ]
    if not different:
        return []
    return [
        Warning(
            f"Packages are missing or have other versions than requirements/production.txt: {_names(different)}.",
            hint="Run `pip install --require-hashes -r requirements/production.txt`.",
            id="hotelagent.W010",
        )
    ]


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


@register(Tags.staticfiles, deploy=True)
def check_static_files(**_kwargs: Any) -> list[CheckMessage]:
    """Report an error if the collected static files are missing, or differ from the static files of the apps."""
    hashed: dict[str, str] | None = getattr(staticfiles_storage, "hashed_files", None)
    if hashed is None:  # In development, static files need not be collected.
        return []
    if not hashed:
        problem = "The static files have not been collected, so every page of the admin fails."
    elif outdated := _outdated_static_files(hashed):
        problem = f"{len(outdated)} static files are missing or outdated: {_names(outdated)}."
    else:
        return []
    return [
        Error(
            problem,
            hint="Run `manage.py collectstatic --no-input`, then restart the web processes.",
            id="hotelagent.E010",
        )
    ]


def _outdated_static_files(hashed: dict[str, str]) -> list[str]:
    return sorted(
        {
            name
            for finder in finders.get_finders()
            for name, source in finder.list([])
            if (first := finders.find(name))
            # Static files that are overridden by another file with the same name are not collected.
            and first == source.path(name)
            if name not in hashed or not _is_collected(name, source.path(name))
        }
    )


def _is_collected(name: str, source: str) -> bool:
    try:
        return filecmp.cmp(source, staticfiles_storage.path(name), shallow=False)
    except OSError:
        return False


@register(Tags.security, deploy=True)
def check_trusted_proxies(**_kwargs: Any) -> list[CheckMessage]:
    """Warn if TRUSTED_PROXY_HOPS, the number of reverse proxies, is not set."""
    if env.str("TRUSTED_PROXY_HOPS", default=""):
        return []
    return [
        Warning(
            f"TRUSTED_PROXY_HOPS is not set, so the number of reverse proxies is assumed to be "
            f"{settings.TRUSTED_PROXY_HOPS}. If there are more, all clients share one rate limit and lock each other "
            "out. If there are fewer, clients can forge their IP address.",
            hint="Set TRUSTED_PROXY_HOPS to the number of your reverse proxies that set X-Forwarded-For: usually 1.",
            id="hotelagent.W011",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_metrics_directory(**_kwargs: Any) -> list[CheckMessage]:
    """Warn if PROMETHEUS_MULTIPROC_DIR, the directory in which all processes store their metrics, is not set."""
    if metrics.multiprocess_directory() is not None:
        return []
    return [
        Warning(
            "PROMETHEUS_MULTIPROC_DIR is not set, so /metrics returns the values of one process only.",
            hint="Set PROMETHEUS_MULTIPROC_DIR to a directory that the processes can write to, and empty it before "
            "they start.",
            id="hotelagent.W012",
        )
    ]


@register(Tags.security, deploy=True)
def check_reverse_proxy(**_kwargs: Any) -> list[CheckMessage]:
    """Request a page through the reverse proxy, and warn if the proxy is not configured correctly.

    Report nothing if no proxy responds, because the proxy may not have been started yet.
    """
    if not settings.SECURE_SSL_REDIRECT:
        return []
    host = settings.PLATFORM_HOST
    url = f"https://{host}{settings.LOGIN_URL}"
    connection = HTTPSConnection(
        host, HTTPS_PORT, timeout=PROXY_TIMEOUT_SECONDS, context=ssl.create_default_context()
    )
    try:
        connection.request("GET", settings.LOGIN_URL)
        response = connection.getresponse()
    except ssl.SSLCertVerificationError as error:
        return [
            Warning(
                f"The TLS certificate of {host} is not valid: {error.verify_message}.",
                hint=f"Install a certificate for {host} and *.{host}, with all intermediate certificates.",
                id="hotelagent.W013",
            )
        ]
    except (OSError, HTTPException):
        return []
    finally:
        connection.close()
    if response.status == HTTPStatus.OK:
        return []
    return [
        Error(
            f"{url} responds with the status {response.status}.",
            hint=f"Let the reverse proxy set {_PROXY_SETTINGS} as in deploy/nginx/hotelagent.conf. Without "
            "`X-Forwarded-Proto: https` each page redirects to itself, and without Host no page is found. For other "
            "causes see /health/ready and the log.",
            id="hotelagent.E011",
        )
    ]


def _names(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (" and others" if len(names) > _MAX_NAMES else "")
