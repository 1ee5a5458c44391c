"""The verification of audit trails: all events and hashes are compared with the signed checkpoints."""
