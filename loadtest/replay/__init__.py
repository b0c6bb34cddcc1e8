"""Real sessions replayed on a virtual clock: who would have waited, and what everybody would have got."""
