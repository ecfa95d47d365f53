"""`python -m train` on a machine of several devices: `python -m tests.train.on_devices NUMBER FLAGS...`.

A process of its own, since the number of logical devices is fixed once TensorFlow has begun.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from train.__main__ import main

if __name__ == "__main__":
    devices = [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[1])
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    sys.exit(main(sys.argv[2:]))
