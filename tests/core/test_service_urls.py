"""Tests of the parser of service URLs such as REDIS_URL.

The errors of the parser must not contain passwords.
"""

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotelagent.core.service_urls import InvalidServiceURL, ServiceURL, parse


def parse_url(text: str) -> ServiceURL:
    return parse(text, variable="SOME_URL", schemes=("redis", "rediss"), example="redis://host/0")


@given(password=st.text(min_size=1))
def test_percent_encoded_password_is_decoded_and_encoded_again_in_the_url(password: str) -> None:
    password = password.encode("utf-8", "ignore").decode()
    url = parse_url(f"redis://user:{quote(password, safe='')}@host:6379/0")
    assert (url.password, url.addresses(), url.path) == (password, [("host", 6379)], "/0")
    assert urlsplit(str(url)).hostname == "host"
    assert urlsplit(str(url)).port == 6379
    assert parse_url(str(url)) == url


@pytest.mark.parametrize("password", ["pa#ss", "pa?ss", "pa:ss", "$HOME", "[x", "a&b=c+d"])
def test_url_with_an_unencoded_but_unambiguous_password_is_accepted(password: str) -> None:
    url = parse_url(f"redis://:{password}@host/0")
    assert url.password == password
    assert urlsplit(str(url)).hostname == "host"


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("redis://u:hun/ter2@host/0", "%2F"),
        ("redis://u:hun@ter2@host/0", "%40"),
        ("redis://u:hun#a/ter2@host/0", "%23"),
        ("redis://u:hunter2%@host/0", "%25"),
        ("redis://u:hunter2%zz@host/0", "%25"),
        ("redis://u:[hunter2]@host/0", "Remove the brackets"),
        ("redis://u:hunt er2@host/0", "%20"),
        (" redis://u:hunter2@host/0", "Remove it"),
        ("redis://u:hunter2@host/0\n", "Remove it"),
        ('"redis://u:hunter2@host/0"', "Remove the quotation marks"),
        ("redis+socket://u:hunter2@host/0", "Use redis:// instead"),
        ("http://u:hunter2@host/0", "Use redis://host/0"),
        ("u:hunter2@host", "Use redis://host/0"),
        ("", "Use redis://host/0"),
        ("redis://u:hunter2", "the port is not a number"),
        ("redis://host:hunter2/0", "the port is not a number"),
        ("redis://host:66000/0", "the port is not a number"),
        ("redis://u:pw@[hunter2/0", "the port is not a number"),
    ],
)
def test_error_about_an_invalid_service_url_explains_the_fix_without_the_password(
    text: str, cure: str
) -> None:
    with pytest.raises(InvalidServiceURL) as error:
        parse_url(text).addresses()
    message = str(error.value)
    assert message.startswith("SOME_URL")
    assert cure in message
    assert not any(part in message for part in ("hun", "ter2", "zz"))


def test_percent_encoded_options_of_a_service_url_are_decoded() -> None:
    url = parse_url("rediss://h/0?ssl_ca_certs=%2Fetc%2Fca.pem&ssl_cert_reqs=required")
    assert url.options == {"ssl_ca_certs": "/etc/ca.pem", "ssl_cert_reqs": "required"}
