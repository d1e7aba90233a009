"""The world as parameters: time and chance, each a small protocol with the real one beside it."""
