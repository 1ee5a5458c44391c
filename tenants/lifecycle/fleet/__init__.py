"""Migration of all hotels' schemas, with few round trips per hotel."""
