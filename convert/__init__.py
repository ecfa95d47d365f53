"""Weights of other frameworks to ours, and ours to theirs."""
