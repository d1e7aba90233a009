"""Composes one relay process from the packages below; nothing is decided here."""
