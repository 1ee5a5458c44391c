"""The REST API with which other systems report and process failures."""
