"""One deployment, many hotels: who they are, how they are reached, and the walls between them."""
