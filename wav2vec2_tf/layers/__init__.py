"""The parts of the network, one idea per file."""
