"""The verification of the trails: every event, tile and checkpoint is compared with what was signed."""
