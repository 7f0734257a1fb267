"""A whole corpus: which books have which steps before them, who works on them, and how far it all is."""
