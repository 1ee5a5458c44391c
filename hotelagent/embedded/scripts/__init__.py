"""The scripts that the Makefile and the `manage.py` in the root folder run."""
