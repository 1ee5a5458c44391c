"""The publication of signed checkpoints outside the database: in a directory, at a URL, and by e-mail to auditors.

A target that fails delays neither sealing nor another target. The failure is stored with the log and counted in the
metrics, and the newest checkpoint is published again in a later run.
"""
