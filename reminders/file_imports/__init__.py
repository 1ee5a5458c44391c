"""The import of files that staff upload in the admin. README.md describes the steps: upload, check, import, report."""
