"""EMAIL_URL, as the runbook writes it, is what Django and Anymail then go by."""

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
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    def mail(url: str) -> dict[str, Any]:
        monkeypatch.setenv("EMAIL_URL", url)
        return Environment().mail("EMAIL_URL")

    return mail


def test_gmail_as_the_runbook_has_it(read: Any) -> None:
    [url] = re.findall(r"^ +EMAIL_URL=(smtp\S+gmail\S+)$", RUNBOOK.read_text(), re.MULTILINE)
    found = read(url)
    assert found["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("smtp.gmail.com", 587)
    assert found["EMAIL_USE_TLS"] is True
    assert not found.get("EMAIL_USE_SSL")
    assert found["EMAIL_HOST_USER"] == "reservations@hotel.example"
    assert found["EMAIL_HOST_PASSWORD"] == "abcdefghijklmnop"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_each_provider_is_in_the_runbook_and_opens(read: Any, settings: Any, provider: str) -> None:
    [url, *_more] = re.findall(rf"EMAIL_URL=({provider}://[^\s`]+)", RUNBOOK.read_text())
    found = read(url)
    settings.ANYMAIL = found["ANYMAIL"]
    backend: Any = get_connection(found["EMAIL_BACKEND"])
    assert backend.open()
    backend.close()
    if provider != "ses":
        assert "key" in {getattr(backend, name, "") for name in ("api_key", "server_token")}
    for option in PROVIDERS[provider].options:
        assert f"`{option}`" in RUNBOOK.read_text()


def test_amazon_s_address_is_a_region_with_a_key_or_the_machine_s_rights(read: Any) -> None:
    params = read("ses://AKIA:se%2Fcret@eu-west-1?configuration_set_name=hotels")["ANYMAIL"]
    assert params["AMAZON_SES_CONFIGURATION_SET_NAME"] == "hotels"
    client = params["AMAZON_SES_CLIENT_PARAMS"]
    assert (client["region_name"], client["aws_secret_access_key"]) == ("eu-west-1", "se/cret")
    assert client["config"]["retries"] == {"total_max_attempts": 1}
    machine = read("ses://eu-west-1")["ANYMAIL"]["AMAZON_SES_CLIENT_PARAMS"]
    assert "aws_access_key_id" not in machine


def test_amazon_s_client_that_is_not_installed_is_named(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements/ses\.txt"):
        read("ses://eu-west-1")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postmark://", "The key is missing: postmark://key"),
        ("ses://", "The region is missing"),
        ("ses://AKIA@eu-west-1", "one is missing"),
        (
            "mailgun://hidden?sender_domian=mg.example.com",
            "mailgun has no option sender_domian. It has api_url, ",
        ),
    ],
)
def test_what_a_provider_lacks_is_said_without_the_key(read: Any, url: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL: ") as refused:
        read(url)
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_what_stands_in_a_key_is_decoded_and_other_settings_follow(read: Any) -> None:
    found = read("mailgun://a%2Fb@c?sender_domain=mg.example.com&api_url=https://api.eu.mailgun.net/v3")
    assert found["ANYMAIL"] == {
        "MAILGUN_API_KEY": "a/b@c",
        "MAILGUN_SENDER_DOMAIN": "mg.example.com",
        "MAILGUN_API_URL": "https://api.eu.mailgun.net/v3",
    }


@pytest.mark.parametrize("url", ["pigeon://key", "postmark"])
def test_what_is_none_is_told_without_the_key(read: Any, url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL is no address .* postmark://key"):
        read(url)
