"""The questions, a topic a file: each asks the functions of its topic, and reports what it
finds."""
