"""One hotel in one file: backed up, carried to another deployment, restored, masked for trials (DESIGN 4.14)."""
