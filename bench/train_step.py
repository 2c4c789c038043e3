"""Time of a training step, plain graph and ours in turn: `python -m bench.train_step`."""

import argparse
import statistics
import time

import numpy as np

from bench.reference import PlainCNN
from cnn_model import TCNNConfig, TextCNN
from textclf import runtime
from textclf import tensorflow_v1 as tf


def prepare(model_class, config):
    """Builds a model; returns a function that runs one training step on a batch."""
    graph = runtime.seeded_graph(1)
    with graph.as_default():
        model = model_class(config)
        session = tf.Session(graph=graph, config=runtime.configure())
        session.run(tf.global_variables_initializer())
    return lambda ids, labels: session.run(model.optim, model.feed(ids, labels, 0.5))


def batch(random, config, characters):
    """A batch of documents with so many characters each.

    Returns:
        (ids, labels): int32 [batch, seq_length], float32 [batch, num_classes].
    """
    ids = random.integers(1, config.vocab_size, (config.batch_size, config.seq_length))
    ids[:, : config.seq_length - characters] = 0
    labels = np.eye(config.num_classes, dtype=np.float32)
    return ids.astype(np.int32), labels[np.arange(config.batch_size) % config.num_classes]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="steps of each kind (default 30)")
    parser.add_argument("--lengths", type=int, nargs="*", default=[600, 100], help="characters")
    arguments = parser.parse_args()
    config = TCNNConfig()
    steps = {"plain": prepare(PlainCNN, config), "ours": prepare(TextCNN, config)}
    random = np.random.default_rng(0)
    print("characters  plain ms  ours ms  ratio (quartiles)")
    for length in arguments.lengths:
        times = {name: [] for name in steps}
        for round_number in range(arguments.rounds + 3):
            data = batch(random, config, length)
            for name, step in steps.items():
                start_s = time.perf_counter()
                step(*data)
                if round_number >= 3:  # the first steps warm up
                    times[name].append(1000 * (time.perf_counter() - start_s))
        ratios = [plain / ours for plain, ours in zip(times["plain"], times["ours"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        plain, ours = (statistics.median(times[name]) for name in ("plain", "ours"))
        print(f"{length:>10}  {plain:>8.1f}  {ours:>7.1f}  {middle:.2f} ({low:.2f} - {high:.2f})")


if __name__ == "__main__":
    main()
