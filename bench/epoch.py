"""Time of an epoch on a data set, plain graph and ours: `python -m bench.epoch --data-dir DIR`.

Plain is the graph of bench/reference.py on batches in random order, ours groups documents of
similar length. Batches of both are run in turn, the same share of an epoch each.
"""

import argparse
import statistics
import time
from pathlib import Path

from bench.reference import PLAIN
from bench.train_step import prepare
from cnn_model import TCNNConfig, TextCNN
from data.cnews_loader import batch_iter
from data.encoding import lengths_of
from rnn_model import TextRNN, TRNNConfig
from textclf import loading
from textclf.flags import TrainOptions

MODELS = {"cnn": (TCNNConfig, TextCNN), "rnn": (TRNNConfig, TextRNN)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="cnn", help="(default cnn)")
    parser.add_argument("--rnn", choices=("gru", "lstm"), default="gru", help="(default gru)")
    parser.add_argument("--share", type=float, default=1.0, help="of an epoch (default 1)")
    parser.add_argument("--parts", type=int, default=5, help="turns it is run in (default 5)")
    arguments = parser.parse_args()
    config_class, model_class = MODELS[arguments.model]
    config = config_class(rnn=arguments.rnn) if arguments.model == "rnn" else config_class()
    x, y = loading.load_training(arguments.data_dir, TrainOptions(), config, {}).train
    batches = {
        "plain": list(batch_iter(x, y, config.batch_size, seed=1)),
        "ours": list(batch_iter(x, y, config.batch_size, seed=1, lengths=lengths_of(x))),
    }
    steps = {"plain": prepare(PLAIN[model_class], config), "ours": prepare(model_class, config)}
    count = max(1, round(len(batches["ours"]) * arguments.share / arguments.parts))
    seconds = {name: [] for name in steps}
    for name, step in steps.items():
        step(*batches[name][-1])  # warms up
    for part in range(arguments.parts):
        for name, step in steps.items():
            start_s = time.perf_counter()
            for ids, labels in batches[name][part * count : (part + 1) * count]:
                step(ids, labels)
            seconds[name].append(time.perf_counter() - start_s)
    scale = len(batches["ours"]) / (count * arguments.parts)
    for name, times in seconds.items():
        print(f"{name:>5}: {sum(times) * scale:.1f} s an epoch of {len(batches[name])} steps")
    print_ratio(seconds)


def print_ratio(seconds):
    """Prints how many times faster ours is, from times measured in turn.

    Args:
        seconds: dict with "plain" and "ours", lists of float of one length.
    """
    pairs = zip(seconds["plain"], seconds["ours"], strict=True)
    ratios = [plain / ours for plain, ours in pairs]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})")


if __name__ == "__main__":
    main()
