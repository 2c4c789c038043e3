"""Documents a second through a trained-size model, plain graph and ours:
`python -m bench.prediction --data-dir DIR`.

Plain is the graph of bench/reference.py in file order, ours the way `test` and `predict` go.
Without a data set the documents are random characters at full length.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from bench.epoch import MODELS, print_ratio
from bench.reference import PLAIN
from data.cnews_loader import batch_iter
from textclf import evaluation, loading, runtime
from textclf import tensorflow_v1 as tf
from textclf.flags import TrainOptions


def prepare(model_class, config, score):
    """Builds a model with new weights; returns a function from ids to probabilities."""
    graph = runtime.seeded_graph(1)
    with graph.as_default():
        model = model_class(config, training=False)
        session = tf.Session(graph=graph, config=runtime.configure())
        session.run(tf.global_variables_initializer())
    return lambda ids: score(session, model, ids)


def score_in_order(session, model, ids):
    """Probabilities [n, num_classes], batch by batch as they come."""
    batches = batch_iter(ids, ids, evaluation.BATCH_SIZE, shuffle=False)
    return np.concatenate([session.run(model.probabilities, model.feed(b)) for b, _ in batches])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="(default: random, at full length)")
    parser.add_argument("--model", choices=MODELS, default="cnn", help="(default cnn)")
    parser.add_argument("--documents", type=int, default=2000, help="at most (default 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    arguments = parser.parse_args()
    config_class, model_class = MODELS[arguments.model]
    config = config_class()
    random = np.random.default_rng(0)
    if arguments.data_dir:
        ids, _ = loading.load_training(arguments.data_dir, TrainOptions(), config, {}).train
        ids = ids[random.permutation(len(ids))[: arguments.documents]]
    else:
        ids = random.integers(1, config.vocab_size, (arguments.documents, config.seq_length))
    ids = ids.astype(np.int32)
    ways = {
        "plain": prepare(PLAIN[model_class], config, score_in_order),
        "ours": prepare(model_class, config, evaluation.score),
    }
    results = {name: way(ids) for name, way in ways.items()}  # warms up
    np.testing.assert_allclose(results["ours"], results["plain"], rtol=1e-4, atol=1e-6)
    seconds = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            start_s = time.perf_counter()
            way(ids)
            seconds[name].append(time.perf_counter() - start_s)
    for name, times in seconds.items():
        print(f"{name:>5}: {len(ids) / statistics.median(times):,.0f} documents a second")
    print_ratio(seconds)


if __name__ == "__main__":
    main()
