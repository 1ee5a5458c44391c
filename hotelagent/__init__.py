"""The project: settings, addresses, processes, and the conventions that every app shares."""
