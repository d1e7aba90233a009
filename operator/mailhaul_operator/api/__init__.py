"""The three kinds as models, the CRDs generated from them, and the providers' profiles."""
