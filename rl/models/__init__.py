"""Models that are trained: DSA models, and ordinary causal models of transformers, behind one interface."""
