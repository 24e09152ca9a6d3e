"""normlab: the laboratory for normalization in deep networks."""
