"""Encrypted backups in a folder or in S3-compatible storage: schedule, rotation, restore drills."""
