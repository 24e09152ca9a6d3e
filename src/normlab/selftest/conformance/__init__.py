"""Conformance: other people's suites, checkers and samples, run against the book and the fused kernels."""
