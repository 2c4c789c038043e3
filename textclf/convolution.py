"""Convolution over characters and maximum over time as one layer, with the least work.

A filter is linear: what a window gives is the sum of what its characters give at their places. A
batch has fewer different characters than characters; so the shares of each are computed once, and
a window adds up rows of that table. The windows' sums are never stored: windows are taken in
blocks, and one compiled loop keeps the largest of a block. The gradient of a maximum goes to the
one window that it came from, so the backward pass looks at that window alone.
"""

import functools

from textclf import compiled
from textclf import tensorflow_v1 as tf
from textclf.lookup import distinct, lookup, trim_padding

_BLOCK = 8  # windows in a block
_GROUP = 8  # documents whose gradients are added up at a time
_LOOKUP = 8  # how many times more than an addition it costs to look up a single number


def conv1d_max(ids, table, kernel, dropout=None, own=None):
    """Slides linear filters along the text, without padding, and keeps each one's largest value.

    Where several windows hold the maximum, the first one gets the gradient that plain max pooling
    shares out. Such windows hold the same characters, so the sums over weights and vectors of
    characters are the same (windows that are equal by coincidence aside: there any share is a
    subgradient).

    Args:
        ids: int32 [batch, seq], seq known when the graph is built; rows of the table.
        table: float32 [vocab, dim], a vector for every id.
        kernel: float32 [size, dim, filters], size <= seq.
        dropout: function from vectors float32 [n, dim] to such with dropout, or None.
        own: function from a tensor [batch, ...] to the rows of the documents that are computed, or
            None for all of them.

    Returns:
        float32 [batch, filters], or [own, filters].
    """
    size = kernel.shape[0]
    block = min(_BLOCK, ids.shape[1] - size + 1)
    # A window of nothing but padding takes part in the maximum, and one is as good as many.
    ids = trim_padding(ids, keep=block + size - 1)
    used, rows = distinct(ids, table.shape[0])  # [used], [batch, seq]
    if own is not None:
        rows = own(rows)  # [own, seq]
    blocks = _cut_into_blocks(rows, size, block)
    pool = tf.custom_gradient(lambda vectors, kernel: _pool(vectors, kernel, blocks))
    vectors = lookup(table, used)  # [used, dim]
    return pool(vectors if dropout is None else dropout(vectors), kernel)


def _cut_into_blocks(rows, size, block):
    """The characters of every block of windows.

    Args:
        rows: int32 [batch, seq].
        size, block: int, characters in a window and windows in a block.

    Returns:
        int32 [batch, blocks, block + size - 1]; the last block begins earlier than the others'
        distance, so that it is whole.
    """
    windows = tf.shape(rows)[1] - size + 1
    starts = tf.minimum(tf.range(0, windows, block), windows - block)  # [blocks]
    return tf.gather(rows, starts[:, tf.newaxis] + tf.range(block + size - 1), axis=1)


def _pool(vectors, kernel, blocks):
    """The largest window of every filter.

    Args:
        vectors: float32 [used, dim].
        kernel: float32 [size, dim, filters].
        blocks: int32 [batch, blocks, characters], rows of vectors.

    Returns:
        (float32 [batch, filters], function from its gradient to those of vectors and kernel).
    """
    size, dim, filters = kernel.shape
    by_place = tf.reshape(tf.transpose(kernel, [1, 0, 2]), [dim, size * filters])
    # What a character gives to every filter at every place of a window.
    shares = tf.reshape(tf.matmul(vectors, by_place), [-1, filters])  # [used * size, filters]

    batch, block_count = tf.unstack(tf.shape(blocks)[:2])
    flat = tf.reshape(blocks, [batch * block_count, blocks.shape[2]])
    flat = compiled.pad_rows(flat, compiled.round_up(batch * block_count))
    maxima = compiled.call(
        _block_maxima,
        [shares, flat],
        work=tf.size(flat, out_type=tf.int64) * size * filters,
        size=size,
    )[: batch * block_count]
    maxima = tf.reshape(maxima, [batch, block_count, filters])

    def gradient(d_pooled):  # [batch, filters]
        winner = tf.argmax(maxima, axis=1, output_type=tf.int32)  # [batch, filters]
        characters = tf.gather(blocks, winner, batch_dims=1)  # [batch, filters, characters]
        # Two functions: in one, XLA would look for the windows anew for every use of them.
        rows = compiled.call(
            _largest_window,
            [shares, characters],
            work=tf.size(characters, out_type=tf.int64) * size * _LOOKUP,
            size=size,
        )
        missing = -batch % _GROUP
        d_vectors, d_kernel = compiled.call(
            _send_back,
            [
                vectors,
                tf.transpose(kernel, [2, 0, 1]),  # [filters, size, dim], read along dim
                compiled.pad_rows(rows, batch + missing),
                compiled.pad_rows(d_pooled, batch + missing),
            ],
            work=tf.size(rows, out_type=tf.int64) * dim,
        )
        return d_vectors, tf.transpose(d_kernel, [1, 2, 0])

    return tf.reduce_max(maxima, axis=1, name="gmp"), gradient


def _block_maxima(shares, blocks, size):
    """The largest window of every block.

    Args:
        shares: float32 [used * size, filters].
        blocks: int32 [n, characters].

    Returns:
        float32 [n, filters].
    """
    windows = [
        _sum(tf.gather(shares, blocks[:, start + place] * size + place) for place in range(size))
        for start in range(blocks.shape[1] - size + 1)
    ]
    # Written out, because a reduction over windows would make XLA store them all.
    return functools.reduce(tf.maximum, windows)


def _sum(tensors):
    return functools.reduce(tf.add, tensors)


def _largest_window(shares, characters, size):
    """The characters of a block's largest window, the first one if several are.

    Args:
        shares: float32 [used * size, filters].
        characters: int32 [batch, filters, characters], a block for every filter.

    Returns:
        int32 [batch, filters, size].
    """
    filters = shares.shape[1]
    shares = tf.reshape(shares, [-1])  # [used * size * filters]
    largest = first = None
    for start in range(characters.shape[2] - size + 1):
        window = _sum(
            tf.gather(
                shares,
                (characters[:, :, start + place] * size + place) * filters + tf.range(filters),
            )
            for place in range(size)
        )  # [batch, filters]
        if first is None:
            largest, first = window, tf.zeros_like(characters[:, :, 0])
        else:
            first = tf.where_v2(window > largest, start, first)
            largest = tf.maximum(window, largest)
    places = first[:, :, tf.newaxis] + tf.range(size)
    return tf.gather(characters, places, batch_dims=2)


def _send_back(vectors, kernel, rows, d_pooled):
    """The gradients of vectors and kernel.

    Args:
        vectors: float32 [used, dim].
        kernel: float32 [filters, size, dim].
        rows: int32 [batch, filters, size], the characters of the windows that hold the maxima;
            batch is a multiple of _GROUP.
        d_pooled: float32 [batch, filters].

    Returns:
        float32 [used, dim], float32 [filters, size, dim].
    """
    filters, size, _ = kernel.shape
    d_grouped = tf.reshape(d_pooled, [-1, _GROUP, filters, 1, 1])
    rows_grouped = tf.reshape(rows, [-1, _GROUP, filters, size])
    d_kernel = _sum(
        d_grouped[:, i] * tf.gather(vectors, rows_grouped[:, i]) for i in range(_GROUP)
    )  # [groups, filters, size, dim]

    # What every filter sends back to the characters of its window, added up where they meet.
    sent = d_pooled[:, :, tf.newaxis, tf.newaxis] * kernel  # [batch, filters, size, dim]
    d_vectors = tf.tensor_scatter_nd_add(tf.zeros_like(vectors), rows[..., tf.newaxis], sent)
    return d_vectors, tf.reduce_sum(d_kernel, axis=0)
