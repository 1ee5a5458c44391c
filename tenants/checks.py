"""Each way to set this up wrongly, with an id and a cure."""
