"""The search index of an audit trail, which is written when events are sealed."""
