"""Which sample to measure next: a Gaussian process from one technique's features to the other's descriptors, the batch
that lowers its expected error most, and what a further measurement is expected to gain. Arrays in, arrays out."""
