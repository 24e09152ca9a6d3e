"""Parameters and running statistics to and from other libraries, with their conventions made explicit."""
