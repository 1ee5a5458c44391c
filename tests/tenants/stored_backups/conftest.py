"""Fixtures for the tests of stored backups: a key pair, and a folder as the storage."""

from pathlib import Path
from typing import Any

import pytest

from tenants.lifecycle.stored_backups.age_encryption import create_key_file


@pytest.fixture
def key_file(tmp_path: Path, settings: Any) -> Path:
    """Create a key pair that encrypts and decrypts backups, and return the file with the private key."""
    file = tmp_path / "backup.key"
    settings.BACKUP_RECIPIENTS = [create_key_file(file)]
    settings.BACKUP_IDENTITY_FILE = str(file)
    return file


@pytest.fixture
def folder(tmp_path: Path, key_file: Path, settings: Any) -> Path:
    """Return the folder in which backups are stored."""
    path = tmp_path / "storage"
    path.mkdir()
    settings.BACKUP_URL = f"file://{path}"
    return path
