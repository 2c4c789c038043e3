"""Layers as pure functions over `get_variable`.

Shapes are written with these axes: batch (documents), seq (characters), dim (a vector's size),
units or filters (outputs of a layer). Variable names are those of the original TF1 code, so that
its checkpoints fit.
"""

from data.vocabulary import PAD_ID
from textclf import tensorflow_v1 as tf


def accelerator():
    """The device of the layers: the first GPU if TensorFlow sees one, else the CPU."""
    return "/gpu:0" if tf.config.get_visible_devices("GPU") else "/cpu:0"


def trim_padding(ids, keep=0):
    """Drops leading columns that are padding in every row.

    Args:
        ids: int32 [batch, seq], padded on the left (relies on left padding: cnews_loader).
        keep: int or int tensor, how many such columns stay.

    Returns:
        int32 [batch, <= seq]. A batch of nothing but padding is returned whole.
    """
    with tf.name_scope("trim_padding"):
        used = tf.reduce_any(tf.not_equal(ids, PAD_ID), axis=0)  # [seq]
        first_used = tf.argmax(tf.cast(used, tf.int32), output_type=tf.int32)
        return ids[:, tf.maximum(first_used - keep, 0) :]


def embed(ids, vocab_size, dim):
    """Looks up a trainable vector for every id.

    Args:
        ids: int32 [batch, seq].
        vocab_size, dim: int, the table's size.

    Returns:
        float32 [batch, seq, dim].
    """
    with tf.device(accelerator()):
        table = tf.get_variable("embedding", [vocab_size, dim])
        return tf.nn.embedding_lookup(table, ids)


def conv1d_max(inputs, scope, filters, kernel_size):
    """Slides linear filters along the text, without padding, and keeps each one's largest value.

    The gradient of a maximum goes to one window alone, so the backward pass looks at one window a
    document and filter instead of all of them. Where several windows hold the maximum, the first
    one gets what plain max pooling shares out. Such windows hold the same characters, so the sums
    over weights and vectors of characters are the same (windows that are equal by coincidence
    aside: there any share is a subgradient).

    Args:
        inputs: float32 [batch, seq, dim], seq >= kernel_size.
        scope: str, of the variables.
        filters: int.
        kernel_size: int, characters in a window.

    Returns:
        float32 [batch, filters].
    """
    dim = inputs.shape[-1]
    with tf.variable_scope(scope):
        kernel = tf.get_variable("kernel", [kernel_size, dim, filters])
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
        pooled = tf.custom_gradient(_linear_windows_max)(inputs, kernel)  # [batch, filters]
        return pooled + bias  # the largest stays the largest, whatever is added to all


def _linear_windows_max(inputs, kernel):
    """The maximum over windows of inputs [batch, seq, dim] times the kernel, and its gradient.

    Returns:
        (float32 [batch, filters], function from its gradient to those of inputs and kernel).
    """
    windows = tf.nn.conv1d(inputs, kernel, stride=1, padding="VALID")  # [batch, windows, filters]

    def gradient(d_pooled):  # [batch, filters]
        size, dim, filters = kernel.shape
        batch, seq = tf.shape(inputs)[0], tf.shape(inputs)[1]
        first = tf.argmax(windows, axis=1, output_type=tf.int32)  # [batch, filters]
        positions = first[:, :, tf.newaxis] + tf.range(size)  # [batch, filters, size]
        winners = tf.gather(inputs, positions, batch_dims=1)  # [batch, filters, size, dim]
        winners = tf.reshape(winners, [batch, filters, size * dim])
        d_kernel = tf.einsum("bf,bfx->xf", d_pooled, winners)  # [size * dim, filters]
        # What every filter sends back to the characters of its window, summed where they meet.
        share = d_pooled[:, :, tf.newaxis, tf.newaxis] * tf.transpose(kernel, [2, 0, 1])
        rows = positions + seq * tf.range(batch)[:, tf.newaxis, tf.newaxis]
        d_inputs = tf.math.unsorted_segment_sum(
            tf.reshape(share, [-1, dim]), tf.reshape(rows, [-1]), batch * seq
        )  # [batch * seq, dim]
        return tf.reshape(d_inputs, tf.shape(inputs)), tf.reshape(d_kernel, kernel.shape)

    return tf.reduce_max(windows, axis=1, name="gmp"), gradient


def dense(inputs, scope, units):
    """An affine map.

    Args:
        inputs: float32 [batch, dim].

    Returns:
        float32 [batch, units].
    """
    with tf.variable_scope(scope):
        kernel = tf.get_variable("kernel", [inputs.shape[-1], units])
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
        return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)


def dropout(inputs, keep_prob, seed):
    """Zeroes units at random and scales the rest by 1 / keep_prob.

    Args:
        inputs: float32, any shape.
        keep_prob: float32 scalar in (0, 1], probability of KEEPING a unit; 1 changes nothing.
        seed: int32 [2]; the same seed zeroes the same units.

    Source: Srivastava et al. 2014, JMLR 15(56).
    """
    return tf.nn.experimental.stateless_dropout(
        inputs, rate=1.0 - keep_prob, seed=seed, rng_alg="philox"
    )


def gru(inputs, mask, units):
    """A layer of gated recurrent units.

    r, u = split(sigmoid([x, h] W_gates + b_gates))    reset gate, update gate
    c = tanh([x, r * h] W_candidate + b_candidate)
    h' = u * h + (1 - u) * c

    Args:
        inputs: float32 [batch, seq, dim].
        mask: bool [batch, seq], False where the state is carried over unchanged; None for no mask.
        units: int.

    Returns:
        float32 [batch, seq, units], h after every step.

    Source: Cho et al. 2014, arXiv:1406.1078; biases start at 1 for the gates, as in TF1's GRUCell.
    """
    dim = inputs.shape[-1]
    with tf.variable_scope("gru_cell"):
        with tf.variable_scope("gates"):
            gates_kernel = tf.get_variable("kernel", [dim + units, 2 * units])
            gates_bias = tf.get_variable("bias", [2 * units], initializer=tf.ones_initializer())
        with tf.variable_scope("candidate"):
            candidate_kernel = tf.get_variable("kernel", [dim + units, units])
            candidate_bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())

    # The inputs' share of every step in one product; the loop is left with the state's share.
    x_gates = tf.tensordot(inputs, gates_kernel[:dim], 1) + gates_bias  # [batch, seq, 2 * units]
    x_candidate = tf.tensordot(inputs, candidate_kernel[:dim], 1) + candidate_bias
    h_gates_kernel, h_candidate_kernel = gates_kernel[dim:], candidate_kernel[dim:]

    def step(state, x):
        (h,), (x_gates_t, x_candidate_t) = state, x  # [batch, units], [batch, 2 * units], ...
        gates = tf.sigmoid(x_gates_t + tf.matmul(h, h_gates_kernel))
        r, u = tf.split(gates, 2, axis=1)
        c = tf.tanh(x_candidate_t + tf.matmul(r * h, h_candidate_kernel))
        return (u * h + (1.0 - u) * c,)

    (h,) = _recur(step, (x_gates, x_candidate), mask, state_sizes=(units,))
    return h


def lstm(inputs, mask, units):
    """A layer of long short-term memory.

    i, j, f, o = split([x, h] W + b)    input gate, new input, forget gate, output gate
    c' = c * sigmoid(f + 1) + sigmoid(i) * tanh(j)
    h' = tanh(c') * sigmoid(o)

    Args:
        inputs: float32 [batch, seq, dim].
        mask: bool [batch, seq], False where the state is carried over unchanged; None for no mask.
        units: int.

    Returns:
        float32 [batch, seq, units], h after every step.

    Source: Hochreiter and Schmidhuber 1997; Zaremba et al. 2014, arXiv:1409.2329. The forget
        gate's bias has 1 added, as in TF1's BasicLSTMCell.
    """
    dim = inputs.shape[-1]
    with tf.variable_scope("basic_lstm_cell"):
        kernel = tf.get_variable("kernel", [dim + units, 4 * units])
        bias = tf.get_variable("bias", [4 * units], initializer=tf.zeros_initializer())

    x_gates = tf.tensordot(inputs, kernel[:dim], 1) + bias  # [batch, seq, 4 * units]
    h_kernel = kernel[dim:]

    def step(state, x):
        (c, h), (x_gates_t,) = state, x  # [batch, units] twice, [batch, 4 * units]
        i, j, f, o = tf.split(x_gates_t + tf.matmul(h, h_kernel), 4, axis=1)
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        return c, tf.tanh(c) * tf.sigmoid(o)

    _, h = _recur(step, (x_gates,), mask, state_sizes=(units, units))
    return h


def _recur(step, inputs, mask, *, state_sizes):
    """Runs `step` over the text from zero states.

    Args:
        step: function (state, x) -> state over tuples of float32 [batch, ...].
        inputs: tuple of float32 [batch, seq, ...].
        mask: bool [batch, seq] or None, see `gru`.
        state_sizes: tuple of int.

    Returns:
        tuple of float32 [batch, seq, size], the states after every step.
    """
    batch = tf.shape(inputs[0])[0]
    start = tuple(tf.zeros([batch, size]) for size in state_sizes)

    def masked_step(state, x):
        *x, keep = x  # keep: [batch, 1]
        new_state = step(state, x)
        return tuple(tf.where_v2(keep, n, old) for n, old in zip(new_state, state, strict=True))

    if mask is not None:
        inputs = (*inputs, mask[:, :, tf.newaxis])
    swap = [1, 0, 2]  # batch-major <-> time-major, which the loop runs over
    states = tf.scan(
        step if mask is None else masked_step,
        tuple(tf.transpose(x, swap) for x in inputs),
        initializer=start,
    )
    return tuple(tf.transpose(state, swap) for state in states)
