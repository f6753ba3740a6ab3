"""What tokenization costs, beside the peers and the processor's own limit, in one run."""
