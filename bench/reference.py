"""The plain graph, as the original code builds it: what the fast layers are measured against."""

from cnn_model import TextCNN
from data.vocabulary import PAD_ID
from rnn_model import TextRNN
from textclf import layers
from textclf import tensorflow_v1 as tf


class PlainCNN(TextCNN):
    """TextCNN without any shortcut: every window of the full length, TensorFlow's own gradient."""

    def encode(self, ids):
        config = self.config
        embedded = tf.nn.embedding_lookup(
            layers.embedding(config.vocab_size, config.embedding_dim), ids
        )  # [batch, seq, dim]
        with tf.variable_scope("conv"):
            shape = [config.kernel_size, config.embedding_dim, config.num_filters]
            kernel = tf.get_variable("kernel", shape)
            bias = tf.get_variable("bias", [config.num_filters], initializer=tf.zeros_initializer())
        windows = tf.nn.conv1d(embedded, kernel, stride=1, padding="VALID")
        windows = tf.nn.bias_add(windows, bias)  # [batch, seq - kernel_size + 1, filters]
        return tf.reduce_max(windows, axis=1)  # [batch, filters]


class PlainRNN(TextRNN):
    """TextRNN without any shortcut: a product of [x, h] in every step, padding computed too.

    The equations are those of `layers.gru` and `layers.lstm`.
    """

    def encode(self, ids):
        config = self.config
        mask = tf.not_equal(ids, PAD_ID) if config.mask_padding else tf.ones_like(ids, tf.bool)
        hidden = tf.nn.embedding_lookup(
            layers.embedding(config.vocab_size, config.embedding_dim), ids
        )  # [batch, seq, dim]
        layer = {"gru": _plain_gru, "lstm": _plain_lstm}[config.rnn]
        with tf.variable_scope("rnn"), tf.variable_scope("multi_rnn_cell"):
            for index in range(config.num_layers):
                with tf.variable_scope(f"cell_{index}"):
                    hidden = layer(hidden, mask, config.hidden_dim)  # [batch, seq, hidden_dim]
                    if index == config.num_layers - 1:
                        hidden = hidden[:, -1]  # [batch, hidden_dim]
                    hidden = self.dropout(hidden)
        return hidden


def _affine(inputs, units, bias=0.0):
    """The kernel [inputs, units] and the bias of the current scope."""
    kernel = tf.get_variable("kernel", [inputs, units])
    return kernel, tf.get_variable("bias", [units], initializer=tf.constant_initializer(bias))


def _plain_gru(inputs, mask, units):
    size = inputs.shape[-1] + units
    with tf.variable_scope("gru_cell"):
        with tf.variable_scope("gates"):
            gates_kernel, gates_bias = _affine(size, 2 * units, bias=1.0)
        with tf.variable_scope("candidate"):
            candidate_kernel, candidate_bias = _affine(size, units)

    def step(state, x_and_keep):
        (h,), (x, keep) = state, x_and_keep  # [batch, units], [batch, dim], [batch, 1]
        gates = tf.sigmoid(tf.matmul(tf.concat([x, h], 1), gates_kernel) + gates_bias)
        r, u = tf.split(gates, 2, axis=1)
        c = tf.tanh(tf.matmul(tf.concat([x, r * h], 1), candidate_kernel) + candidate_bias)
        return (tf.where_v2(keep, u * h + (1.0 - u) * c, h),)

    return _scan(step, inputs, mask, [units])[0]


def _plain_lstm(inputs, mask, units):
    with tf.variable_scope("basic_lstm_cell"):
        kernel, bias = _affine(inputs.shape[-1] + units, 4 * units)

    def step(state, x_and_keep):
        (c, h), (x, keep) = state, x_and_keep
        i, j, f, o = tf.split(tf.matmul(tf.concat([x, h], 1), kernel) + bias, 4, axis=1)
        new_c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        new_h = tf.tanh(new_c) * tf.sigmoid(o)
        return tf.where_v2(keep, new_c, c), tf.where_v2(keep, new_h, h)

    return _scan(step, inputs, mask, [units, units])[1]


def _scan(step, inputs, mask, sizes):
    """States after every step, each [batch, seq, size]."""
    batch = tf.shape(inputs)[0]
    swap = [1, 0, 2]  # batch-major <-> time-major, which the loop runs over
    states = tf.scan(
        step,
        (tf.transpose(inputs, swap), tf.transpose(mask[:, :, tf.newaxis], swap)),
        initializer=tuple(tf.zeros([batch, size]) for size in sizes),
    )
    return [tf.transpose(state, swap) for state in states]


PLAIN = {TextCNN: PlainCNN, TextRNN: PlainRNN}
