"""A mail comes in: listener, sessions, commands, body, limits. The only package that imports aiosmtpd."""
