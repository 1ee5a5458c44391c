"""Correction of the payload of a failure by a person, and what people may see of a payload."""
