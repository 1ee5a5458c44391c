"""The hotels, which are the tenants of the application: models, database isolation, lifecycle and access control."""
