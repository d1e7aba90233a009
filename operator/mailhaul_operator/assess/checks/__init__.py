"""The checks of an SmtpRelay, one a file: `RelayFacts` in, an `Aspect` out; `relay` puts them in order. Pure."""
