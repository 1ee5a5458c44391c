"""The steps before an event is stored: its values are cleaned and shortened, and salts and the actor are added."""
