"""Where 250 is earned: accepted mail on stable storage, behind the one seam `interface.Spool`."""
