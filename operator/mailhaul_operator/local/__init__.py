"""`mailhaul up`: the same plan as in a cluster, with processes in place of pods."""
