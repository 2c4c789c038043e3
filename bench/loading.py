"""Time and memory of loading, a plain loop and ours: `python -m bench.loading FILE`.

The file (`label<TAB>text` lines) is repeated to `--documents` documents. Vocabulary and encoding
are timed in turn, plain and ours, on the same texts; peak memory is measured in processes of
their own.
"""

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from data.encoding import Encoder
from data.formats import read_documents
from data.vocabulary import count_words

VOCAB_SIZE, SEQ_LENGTH = 5000, 600
MIB = 2**20


def plain_vocabulary(texts):
    """The most frequent characters, each counted in a dict."""
    counts = Counter()
    for text in texts:
        counts.update(text)
    return ["<PAD>"] + [word for word, _ in counts.most_common(VOCAB_SIZE - 1)]


def plain_encoding(texts, word_to_id):
    """int32 ids [n, SEQ_LENGTH], looked up one by one."""
    ids = np.zeros((len(texts), SEQ_LENGTH), dtype=np.int32)
    for row, text in zip(ids, texts, strict=True):
        known = [word_to_id[word] for word in text if word in word_to_id][-SEQ_LENGTH:]
        if known:
            row[-len(known) :] = known
    return ids


def our_encoding(texts, word_to_id):
    return Encoder(word_to_id, SEQ_LENGTH).encode(texts).ids


def our_vocabulary(texts):
    return count_words(texts, VOCAB_SIZE)


def timed(function, *arguments):
    """Returns (seconds, result)."""
    start_s = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start_s, result


def peak_mib(path, stage):
    """Peak memory of a process that reads, counts and encodes a file up to some stage, in MiB."""
    code = f"from bench.loading import measure; measure({str(path)!r}, {stage!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def measure(path, stage):
    """Prints this process's peak memory in MiB after a stage: "start" or "encode"."""
    if stage == "encode":
        texts = read_documents(path).texts
        words = our_vocabulary(texts)
        our_encoding(texts, {word: index for index, word in enumerate(words)})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="label<TAB>text lines to repeat")
    parser.add_argument("--documents", type=int, default=50_000, help="(default 50000)")
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "repeated.train.txt"
        with (
            arguments.file.open(encoding="utf-8") as source,
            path.open("w", encoding="utf-8") as repeated,
        ):
            lines = source.readlines()
            repeated.writelines(itertools.islice(itertools.cycle(lines), arguments.documents))
        # Before this process grows: on Linux a child's peak begins at its parent's size.
        used_mib = peak_mib(path, "encode") - peak_mib(path, "start")
        numbers = compare(path, arguments.rounds, used_mib)
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


def compare(path, rounds, used_mib):
    """Measures and prints; returns dict of the numbers."""
    read_s, documents = timed(read_documents, path)
    texts = documents.texts
    text_mib = path.stat().st_size / MIB
    array_mib = len(texts) * SEQ_LENGTH * 4 / MIB
    print(f"{len(texts)} documents, {text_mib:.0f} MiB; read in {read_s:.2f} s")
    seconds = {"plain": [], "ours": []}
    for _ in range(rounds):
        results = {}
        for name, count, encode in (
            ("plain", plain_vocabulary, plain_encoding),
            ("ours", our_vocabulary, our_encoding),
        ):
            vocabulary_s, words = timed(count, texts)
            word_to_id = {word: index for index, word in enumerate(sorted(words))}
            encoding_s, ids = timed(encode, texts, word_to_id)
            seconds[name].append((vocabulary_s, encoding_s))
            results[name] = (sorted(words), ids)
        # Ties at the end of the vocabulary may be broken differently; without any, all is equal.
        if results["plain"][0] == results["ours"][0]:
            assert np.array_equal(results["plain"][1], results["ours"][1])
    print("          vocabulary s  encoding s  together s")
    for name, times in seconds.items():
        vocabulary_s, encoding_s = map(statistics.median, zip(*times, strict=True))
        together_s = statistics.median(map(sum, times))
        print(f"{name:>8}  {vocabulary_s:>12.2f}  {encoding_s:>10.2f}  {together_s:>10.2f}")
    ratios = [
        sum(plain) / sum(ours)
        for plain, ours in zip(seconds["plain"], seconds["ours"], strict=True)
    ]
    print(f"ratio {statistics.median(ratios):.1f} ({min(ratios):.1f} - {max(ratios):.1f})")
    limit_mib = text_mib + 2 * array_mib
    print(f"peak memory {used_mib:.0f} MiB; text and twice the arrays are {limit_mib:.0f} MiB")
    return {
        "documents": len(texts),
        "seconds": seconds,
        "ratios": ratios,
        "peak_mib": used_mib,
        "limit_mib": limit_mib,
    }


if __name__ == "__main__":
    main()
