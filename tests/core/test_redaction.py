"""Tests of the removal of personal data and secrets from texts."""

import time

import pytest

from hotelagent.core.redaction import MAX_LENGTH, REDACTED, redact_text


@pytest.mark.parametrize(
    "secret",
    [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111",
        "378282246310005",
        "DE89370400440532013000",
        "ES91 2100 0418 4502 0005 1332",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0123456789_abcdefghij",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "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",
        "key-0123456789abcdef0123456789abcdef",
        "AC0123456789abcdef0123456789abcdef",
        "xkeysib-0123456789abcdef0123456789abcdef-AbCdEf",
        "glpat-AbCdEfGhIjKlMnOpQrSt",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
)
@pytest.mark.parametrize("text", ["{}", "the value is {}, refused", "value={}", '{{"value":"{}"}}'])
def test_card_numbers_account_numbers_and_keys_are_redacted(secret: str, text: str) -> None:
    redacted = redact_text(text.format(secret))
    assert secret[4:16] not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPS://ana:pw1234@pms.example/x", f"HTTPS://{REDACTED}@pms.example/x"),
        ("Authorization: Bearer abcdefgh1", f"Authorization: Bearer {REDACTED}"),
        ("BASIC abcdefgh1", f"BASIC {REDACTED}"),
        # The long s and the Kelvin sign. A pattern that ignores case considers them equal to "s" and "k".
        ("pa\u017f\u017fword=abc", f"pa\u017f\u017fword={REDACTED}"),
        ("to\u212aen: abc", f"to\u212aen: {REDACTED}"),
        ("Passwd='a b'", f"Passwd={REDACTED}"),
        ("client_Secret=abc", f"client_Secret={REDACTED}"),
        (
            "api-key: abc, apikey=abc, API_KEY=abc",
            f"api-key: {REDACTED}, apikey={REDACTED}, API_KEY={REDACTED}",
        ),
        ("GET /guests?name=ana", f"GET /guests?{REDACTED}"),
        ("to ana@hotel.example", f"to {REDACTED}"),
        (
            "GET /unsubscribe/01a22a7900587001948ac97462a6ea88.Nu_E8CZ0Abb54EuGnbBNDEBcAGDlgA2UB4TPTYZPTwE/",
            f"GET /unsubscribe/01a22a7900587001948ac97462a6ea88.{REDACTED}/",
        ),
        ("GET /reset/Mg/c8k2fz-0123456789abcdef0123456789abcdef/", f"GET /reset/Mg/{REDACTED}/"),
        ("ha_ab12_secret-part", REDACTED),
        ("call +34 600 12 34 56", f"call {REDACTED}"),
        ("call +34 (6)001.23", f"call {REDACTED}"),
        ("call 0034600123456", f"call {REDACTED}"),
        ("call (555) 123-4567", f"call {REDACTED}"),
        ("call 600123456", f"call {REDACTED}"),
    ],
)
def test_credentials_and_contact_data_are_redacted_in_upper_and_lower_case(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "hotel 0198c0de-1111-7222-8333-444455556666 has 12 rooms",
        "locks/services/holds.py:128 in acquire_hold",
        "from 2026-11-29 01:29:56.123456+00:00 to 2026-12-01",
        "fingerprint 4f1c0a9be2d37781, sha 603abb3",
        "took 0.1234567890123456 seconds",
    ],
)
def test_redaction_of_a_text_without_secrets_returns_the_same_text(text: str) -> None:
    assert redact_text(text) == text


def test_long_text_is_cut_before_redaction_without_leaving_part_of_a_secret() -> None:
    text = "x " * (MAX_LENGTH // 2 - 5) + "4111111111111111 " + "password" * 2_000_000
    started = time.thread_time()
    redacted = redact_text(text)
    assert time.thread_time() - started < 1
    assert len(redacted) < MAX_LENGTH + 10
    assert "411" not in redacted
