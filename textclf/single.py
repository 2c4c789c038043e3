"""One document at a time through a TextCNN, in NumPy: it takes less time than to run a session."""

from data import lazy_numpy as np
from data.vocabulary import PAD_ID
from textclf import ngrams

_LARGEST_TABLE = 1 << 24  # numbers, 64 MiB
_HEAD = ("fc1", "fc2")
_BLOCK = 64  # windows at a time, so that what is added up stays in the processor's cache


class SingleCNN:
    """The forward pass of a trained TextCNN for one document.

    What a character gives to every filter at every place of a window is computed once, when the
    weights are there; a window then adds up rows of that table, as in `convolution.conv1d_max`.
    """

    def __init__(self, weights, config):
        """
        Args:
            weights: dict from variable names to float32 arrays.
            config: TCNNConfig.
        """
        self._weights, self._config = weights, config
        kernel = weights["conv/kernel"]  # [size, dim, filters]
        self._shares = [weights["embedding"] @ place for place in kernel]  # each [vocab, filters]
        self._bias = weights["conv/bias"]
        self._layers = [(weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in _HEAD]

    @staticmethod
    def fits(config):
        """Whether the table of a TCNNConfig is small enough to be kept."""
        return config.vocab_size * config.kernel_size * config.num_filters <= _LARGEST_TABLE

    def logits(self, ids):
        """The logits of a document.

        Args:
            ids: int32 array [seq_length], padded on the left.

        Returns:
            float32 array [num_classes].
        """
        (kernel, bias), (last_kernel, last_bias) = self._layers
        hidden = np.maximum((self._pool(ids) + self._bias) @ kernel + bias, 0.0)
        logits = hidden @ last_kernel + last_bias
        return logits + ngrams.document_logits(ids, self._weights, self._config)

    def _pool(self, ids):
        """The largest window of every filter, float32 [filters]."""
        size = len(self._shares)
        used = np.flatnonzero(ids != PAD_ID)
        # One window of nothing but padding is as good as many.
        first_used = used[0] if len(used) else len(ids)
        ids = ids[max(first_used - size, 0) :]
        windows = len(ids) - size + 1
        pooled = np.full(len(self._bias), -np.inf, np.float32)
        for first in range(0, windows, _BLOCK):
            last = min(first + _BLOCK, windows)
            sums = self._shares[0].take(ids[first:last], axis=0)  # [block, filters]
            for place in range(1, size):
                sums += self._shares[place].take(ids[first + place : last + place], axis=0)
            np.maximum(pooled, sums.max(axis=0), out=pooled)
        return pooled
