"""Backup of a hotel to a file, and restore from the file in this or another deployment."""
