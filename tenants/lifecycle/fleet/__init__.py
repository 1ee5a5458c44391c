"""Migration of the schemas of all hotels, with few database round trips per hotel."""
