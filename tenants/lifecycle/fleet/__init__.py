"""Migration of all hotels' schemas, with few database round trips per hotel."""
