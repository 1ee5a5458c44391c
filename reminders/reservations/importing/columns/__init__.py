"""The assignment of a file's columns to booking fields, and the profiles of vendors' files."""
