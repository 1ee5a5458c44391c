"""The sealing of each trail: its events are appended to a transparency log, and checkpoints of the log are signed."""
