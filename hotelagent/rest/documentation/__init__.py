"""The documentation of the REST API: its introduction, the schema, and the page that shows both."""
