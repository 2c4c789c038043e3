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
# What its converter and LiteRT say of every model, whatever the log level is.
_CHATTER = re.compile(rb"^(?:[IW]\d{4} |INFO:|fully_quantize: |WARNING: All log messages)")
_ALL_LOGS = ("0", "1")  # TF_CPP_MIN_LOG_LEVEL of somebody who wants to read it all

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
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") in _ALL_LOGS:
        return importlib.import_module("tensorflow.compat.v1")
    with _LOADING, _without(_NOISE):
        tensorflow = importlib.import_module("tensorflow.compat.v1")
        tensorflow.config.list_physical_devices("GPU")  # looks for the driver, and complains
    return tensorflow


def quiet():
    """A context manager that keeps back the chatter of TensorFlow's converter and of LiteRT."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in _ALL_LOGS:
        return contextlib.nullcontext()
    return _without(_CHATTER)


@contextlib.contextmanager
def _without(noise):
    """Holds back what is written to file descriptor 2, then passes on all but the noise.

    Args:
        noise: compiled pattern; lines that hold it are noise.
    """
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
                if not noise.search(line):
                    os.write(2, line)
