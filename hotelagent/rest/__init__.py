"""The conventions of the REST interface, written once: what an app's `api.py` derives from."""
