"""Correction of a failure's payload by a person, and the rules about which parts of a payload a person may see."""
