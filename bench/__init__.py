"""Side-by-side measurements: the plain graph and ours, interleaved in one run."""
