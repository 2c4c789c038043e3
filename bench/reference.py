"""The plain graph, as the original code builds it: what the fast layers are measured against."""

from cnn_model import TextCNN
from textclf import layers
from textclf import tensorflow_v1 as tf


class PlainCNN(TextCNN):
    """TextCNN without any shortcut: every window of the full length, TensorFlow's own gradient."""

    def encode(self, ids):
        config = self.config
        embedded = layers.embed(ids, config.vocab_size, config.embedding_dim)  # [batch, seq, dim]
        with tf.variable_scope("conv"):
            shape = [config.kernel_size, config.embedding_dim, config.num_filters]
            kernel = tf.get_variable("kernel", shape)
            bias = tf.get_variable("bias", [config.num_filters], initializer=tf.zeros_initializer())
        windows = tf.nn.conv1d(embedded, kernel, stride=1, padding="VALID")
        windows = tf.nn.bias_add(windows, bias)  # [batch, seq - kernel_size + 1, filters]
        return tf.reduce_max(windows, axis=1)  # [batch, filters]
