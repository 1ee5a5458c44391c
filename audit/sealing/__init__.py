"""The sealing of audit trails: events are appended to a transparency log, and the root hash of the log is signed.

A transparency log is an append-only list whose signed root hash covers all entries.
"""
