"""Backup of one hotel to one file, and restore from it, on this or another deployment."""
