"""The fused norm kernels against PyTorch's, over sizes and types: time, share of copy bandwidth, accuracy."""
