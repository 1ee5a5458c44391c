"""The kinds of work that can fail. Apps declare them, and this package finds the kind of a failure by its name."""
