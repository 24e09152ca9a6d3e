"""The plants are parts of a copy of this project, and import only there."""

collect_ignore_glob = ["toy_*.py"]
