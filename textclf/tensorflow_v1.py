"""TensorFlow's v1 API, imported when it is first used: `from textclf import tensorflow_v1 as tf`.

Importing TensorFlow takes seconds; `--help` and a mistyped flag should not wait for them.
"""

import contextlib
import importlib
import os
import re
import sys
import tempfile
import threading

# What TensorFlow says on every machine without an NVIDIA driver, before its log level applies.
_NOISE = re.compile(rb"cudart_stub|cuInit|All log messages before absl::InitializeLog")

_LOADING = threading.Lock()  # one thread at a time turns file descriptor 2 away and back


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    value = getattr(_load(), name)
    globals()[name] = value
    return value


def _load():
    # Spares the import of Keras, which nothing here uses (1.4 s of 3.5 s).
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") in ("0", "1"):  # wants to read it all
        return importlib.import_module("tensorflow.compat.v1")
    with _LOADING, _without_noise():
        tensorflow = importlib.import_module("tensorflow.compat.v1")
        tensorflow.config.list_physical_devices("GPU")  # looks for the driver, and complains
    return tensorflow


@contextlib.contextmanager
def _without_noise():
    """Holds back what is written to file descriptor 2, then passes on all but the noise."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held:
                if not _NOISE.search(line):
                    os.write(2, line)
