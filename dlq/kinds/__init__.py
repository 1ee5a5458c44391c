"""The kinds of failures.

An app declares a kind for a name of failures: how these failures are validated, displayed and retried.
"""
