"""How fast, against whom, and against which limit: every figure of speed and memory that the project quotes."""
