"""What every service of the grid shares: the ledger, settings, problems, logs, metrics, HTTP."""
