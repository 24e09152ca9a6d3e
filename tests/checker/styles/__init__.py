"""Independent correct implementations, in several styles; texts to run, not modules to import."""
