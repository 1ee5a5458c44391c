"""The import of files that staff upload in the admin: upload, check, import by a worker, report. See README.md."""
