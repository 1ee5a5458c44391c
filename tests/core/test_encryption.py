"""Tests of the encryption of stored values."""

import pytest
from cryptography.exceptions import InvalidTag
from django.test import override_settings

from hotelagent.core.encryption import decrypt, derive_key, encrypt

PLAINTEXT = b"https://channel.example/calendar?token=s3cret"


def test_decryption_with_the_same_key_and_row_returns_the_plaintext() -> None:
    key = derive_key(b"calendar")
    encrypted = encrypt(PLAINTEXT, key=key, associated_data=b"row 1")
    assert PLAINTEXT not in encrypted
    assert decrypt(encrypted, key=key, associated_data=b"row 1") == PLAINTEXT


def test_decryption_with_associated_data_of_another_row_raises_invalid_tag() -> None:
    key = derive_key(b"calendar")
    encrypted = encrypt(PLAINTEXT, key=key, associated_data=b"row 1")
    with pytest.raises(InvalidTag):
        decrypt(encrypted, key=key, associated_data=b"row 2")


def test_decryption_of_a_changed_ciphertext_raises_invalid_tag() -> None:
    key = derive_key(b"calendar")
    encrypted = encrypt(PLAINTEXT, key=key, associated_data=b"row 1")
    with pytest.raises(InvalidTag):
        decrypt(encrypted[:-1] + bytes([encrypted[-1] ^ 1]), key=key, associated_data=b"row 1")


def test_encryption_keys_for_different_purposes_differ() -> None:
    assert derive_key(b"calendar") != derive_key(b"webhook")


def test_encryption_key_differs_if_the_setting_secret_key_differs() -> None:
    with override_settings(SECRET_KEY="x" * 50):
        other = derive_key(b"calendar")
    assert derive_key(b"calendar") != other
