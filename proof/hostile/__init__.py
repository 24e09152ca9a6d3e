"""Hostile, broken and lying data files, made byte by byte: what a reader must refuse without harm."""
