"""The columns of files: the fields that they are imported into, and the profiles of vendors."""
