"""All that the operator and the relay share: addresses, the relay's configuration, its report, and names.

It imports neither plane. A change here is a change of a protocol between programs of different versions.
"""
