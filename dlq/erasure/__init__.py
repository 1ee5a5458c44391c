"""The erasure of one guest's data from failures."""
