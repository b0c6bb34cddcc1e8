"""Locust drivers that rush the grid, and the demo that judges it."""
