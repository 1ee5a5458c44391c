"""Redrives: jobs that retry or discard very many failures."""
