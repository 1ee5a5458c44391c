"""The conventions of the admin: two sites with separate accounts, permissions by scope, the audit trail as history."""
