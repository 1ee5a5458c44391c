"""PostgreSQL, Valkey and a mail catcher of this checkout's own, for development: nothing to install.

Production brings its own servers and imports nothing of this package.
"""
