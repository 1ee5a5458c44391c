"""The project package: settings, URLs, processes, and the conventions that all apps share. See README.md."""
