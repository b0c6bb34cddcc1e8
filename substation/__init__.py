"""A substation: a simulated feeder that charges cars, refuses what does not fit, and tells the ledger the truth."""
