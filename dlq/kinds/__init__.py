"""The kinds of failures.

A kind declares how the failures with one name are validated, displayed and retried.
"""
