"""A balancer: stateless; reserves in the ledger, forwards to the substation, and knows what to do when it says no."""
