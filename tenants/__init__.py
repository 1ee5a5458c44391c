"""The hotels, each a tenant of the application: models, database isolation, lifecycle and access control."""
