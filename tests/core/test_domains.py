"""Tests of the ASCII form of domain names and of e-mail addresses."""

import pytest

from hotelagent.core.domains import ascii_address, ascii_domain


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("Hotel-Sol.Example", "hotel-sol.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("FAß.example", "xn--fa-hia.example"),
        ("xn--fa-hia.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),  # IDNA 2003 would replace the final sigma
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("hotel。example", "hotel.example"),
        ("ab--cd.example", "ab--cd.example"),
        ("", ""),
    ],
)
def test_ascii_domain_converts_domains_by_uts_46_without_transitional_processing(
    domain: str, expected: str
) -> None:
    assert ascii_domain(domain) == expected


@pytest.mark.parametrize(
    "domain", ["ü" * 64 + ".example", "ü..example", "-ü.example", "ü b.example", "a\u200db.example"]
)
def test_ascii_domain_of_an_invalid_domain_raises_unicode_error(domain: str) -> None:
    with pytest.raises(UnicodeError):
        ascii_domain(domain)


def test_function_ascii_address_converts_only_the_domain_of_an_email_address() -> None:
    assert ascii_address("Ana.Müller@FAß.example") == "Ana.Müller@xn--fa-hia.example"
    assert ascii_address("ana") == "ana"
