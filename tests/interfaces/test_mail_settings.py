"""Tests of the Django e-mail settings that result from EMAIL_URL.

The inputs are the examples in the runbook.
"""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection

from hotelagent.settings.environment import Environment
from hotelagent.settings.providers import PROVIDERS

RUNBOOK = Path(settings.BASE_DIR) / "deploy" / "runbook.md"


@pytest.fixture
def settings_for_url(monkeypatch: pytest.MonkeyPatch) -> Any:
    def settings_for(url: str) -> dict[str, Any]:
        monkeypatch.setenv("EMAIL_URL", url)
        return Environment().email("EMAIL_URL")

    return settings_for


def test_gmail_url_from_the_runbook_configures_an_smtp_server_with_tls(settings_for_url: Any) -> None:
    [url] = re.findall(r"^ +EMAIL_URL=(smtp\S+gmail\S+)$", RUNBOOK.read_text(), re.MULTILINE)
    settings_of_url = settings_for_url(url)
    assert settings_of_url["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (settings_of_url["EMAIL_HOST"], settings_of_url["EMAIL_PORT"]) == ("smtp.gmail.com", 587)
    assert settings_of_url["EMAIL_USE_TLS"] is True
    assert not settings_of_url.get("EMAIL_USE_SSL")
    assert settings_of_url["EMAIL_HOST_USER"] == "reservations@hotel.example"
    assert settings_of_url["EMAIL_HOST_PASSWORD"] == "abcdefghijklmnop"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_provider_url_from_the_runbook_configures_a_working_email_backend(
    settings_for_url: Any, settings: Any, provider: str
) -> None:
    [url, *_more] = re.findall(rf"EMAIL_URL=({provider}://[^\s`]+)", RUNBOOK.read_text())
    settings_of_url = settings_for_url(url)
    settings.ANYMAIL = settings_of_url["ANYMAIL"]
    backend: Any = get_connection(settings_of_url["EMAIL_BACKEND"])
    assert backend.open()
    backend.close()
    if provider != "ses":
        assert "key" in {getattr(backend, name, "") for name in ("api_key", "server_token")}
    for option in PROVIDERS[provider].options:
        assert f"`{option}`" in RUNBOOK.read_text()


def test_ses_url_with_and_without_an_access_key_sets_the_client_parameters(settings_for_url: Any) -> None:
    params = settings_for_url("ses://AKIA:se%2Fcret@eu-west-1?configuration_set_name=hotels")["ANYMAIL"]
    assert params["AMAZON_SES_CONFIGURATION_SET_NAME"] == "hotels"
    client = params["AMAZON_SES_CLIENT_PARAMS"]
    assert (client["region_name"], client["aws_secret_access_key"]) == ("eu-west-1", "se/cret")
    assert client["config"]["retries"] == {"total_max_attempts": 1}
    machine = settings_for_url("ses://eu-west-1")["ANYMAIL"]["AMAZON_SES_CLIENT_PARAMS"]
    assert "aws_access_key_id" not in machine


def test_ses_url_without_boto3_raises_an_error_that_names_the_requirements_file(
    settings_for_url: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements/ses\.txt"):
        settings_for_url("ses://eu-west-1")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postmark://", "The API key is missing. Use postmark://key"),
        ("ses://", "The region is missing"),
        ("ses://AKIA@eu-west-1", "The access key or its secret is missing"),
        (
            "mailgun://hidden?sender_domian=mg.example.com",
            "mailgun has no option sender_domian. Its options are api_url, ",
        ),
    ],
)
def test_incomplete_provider_url_raises_an_error_without_the_api_key(
    settings_for_url: Any, url: str, message: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL: ") as error:
        settings_for_url(url)
    assert message in str(error.value)
    assert "hidden" not in str(error.value)


def test_provider_url_sets_the_decoded_api_key_and_the_options(settings_for_url: Any) -> None:
    settings_of_url = settings_for_url(
        "mailgun://a%2Fb@c?sender_domain=mg.example.com&api_url=https://api.eu.mailgun.net/v3"
    )
    assert settings_of_url["ANYMAIL"] == {
        "MAILGUN_API_KEY": "a/b@c",
        "MAILGUN_SENDER_DOMAIN": "mg.example.com",
        "MAILGUN_API_URL": "https://api.eu.mailgun.net/v3",
    }


@pytest.mark.parametrize("url", ["pigeon://key", "postmark"])
def test_invalid_email_url_raises_an_error_with_an_example(settings_for_url: Any, url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL is not a valid URL\. .* postmark://key"):
        settings_for_url(url)
