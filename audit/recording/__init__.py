"""The steps before an audit event is stored: values are cleaned and shortened, and salts and the actor are added."""
