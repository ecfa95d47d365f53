"""One run, from config to checkpoint to word error rate. `python -m train --help` tells the flags."""
