"""The kinds of work that can fail.

Apps declare kinds, and this package finds the kind of a failure by the name of the failure.
"""
