//! The fast engine: fused kernels with their own backward.
