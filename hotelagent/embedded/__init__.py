"""PostgreSQL, Valkey and a mail server for development. The servers need no installation and no configuration.

The servers come from Python packages and keep their data in `.hotelagent`. Production uses its own
servers and imports nothing from this package.
"""
