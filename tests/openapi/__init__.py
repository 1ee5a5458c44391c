"""The checks of the OpenAPI documents: linters, generated clients, examples, and changes that break clients."""
