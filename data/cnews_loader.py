"""Labelled text -> arrays: the functions that other scripts use.

They read a document as its characters, keep its last ones, pad it on the left with id 0 and leave
unknown characters out; what the command line offers beyond that is in the modules they call.
"""

import logging

from data import lazy_numpy as np
from data.batches import cut, group_by_length
from data.documents import describe_bad_lines
from data.encoding import Encoder, encode_labels
from data.formats import read_documents
from data.vocabulary import count_words, read_vocab, write_vocab

# The order of the CNews set; labels of any other data are sorted by code point.
CNEWS_CATEGORIES = (
    "体育",
    "财经",
    "房产",
    "家居",
    "教育",
    "科技",
    "时尚",
    "时政",
    "游戏",
    "娱乐",
)

_logger = logging.getLogger(__name__)


def read_file(filename):
    """Reads documents as lists of characters.

    Lines that are no document are left out and reported through `logging` as a warning.

    Args:
        filename: str or Path, see `read_documents`.

    Returns:
        (contents, labels): list of n lists of characters, list of n str.

    Raises:
        DataError: see `read_documents`.
    """
    documents = _read_and_warn(filename)
    return [list(text) for text in documents.texts], documents.labels


def _read_and_warn(filename):
    documents = read_documents(filename)
    for line in describe_bad_lines([documents]):
        _logger.warning("%s", line)
    return documents


def build_vocab(train_dir, vocab_dir, vocab_size=5000):
    """Builds the vocabulary of a training file and writes it.

    Args:
        train_dir: str or Path of the training FILE (the name is historical).
        vocab_dir: str or Path of the vocabulary FILE to write, whole or not at all.
        vocab_size: int >= 2, see `count_words`.

    Raises:
        DataError: see `read_documents`.
    """
    write_vocab(vocab_dir, count_words(_read_and_warn(train_dir).texts, vocab_size))


def read_category(filename=None):
    """Reads categories.

    Args:
        filename: str or Path, one category a line; None for the ten of CNews.

    Returns:
        (categories, cat_to_id): list of str in id order, dict from category to id.

    Raises:
        DataError: no such file, or a category twice.
    """
    categories = list(CNEWS_CATEGORIES) if filename is None else read_vocab(filename)[0]
    return categories, {category: index for index, category in enumerate(categories)}


def order_categories(labels):
    """Distinct labels in a fixed order: that of CNews if all are among its ten, else sorted."""
    distinct = set(labels)
    if distinct <= set(CNEWS_CATEGORIES):
        return [category for category in CNEWS_CATEGORIES if category in distinct]
    return sorted(distinct)


def to_words(content, words):
    """Turns ids back into text.

    Args:
        content: iterable of int.
        words: list of str, as `read_vocab` returns it.

    Returns:
        str, the words joined.
    """
    return "".join(words[word_id] for word_id in content)


def process_file(filename, word_to_id, cat_to_id, max_length=600):
    """Reads a data file into the arrays that a model is fed with.

    Args:
        filename: str or Path, see `read_documents`.
        word_to_id: dict from word to id.
        cat_to_id: dict from category to id.
        max_length: int, characters kept of a document, its last ones.

    Returns:
        (x, y): int32 ids [n, max_length] padded on the left; float32 one-hot [n, num_classes].

    Raises:
        DataError: see `read_documents` and `encode_labels`.
    """
    documents = _read_and_warn(filename)
    labels = encode_labels(documents, cat_to_id)
    return Encoder(word_to_id, max_length).encode(documents.texts).ids, labels


def batch_iter(x, y, batch_size=64, *, shuffle=True, seed=None, lengths=None):
    """Yields every document once, in batches; the last one may be short.

    Args:
        x: array [n, ...].
        y: array [n, ...].
        batch_size: int >= 1.
        shuffle: bool, whether to draw a new order each time; False keeps the order.
        seed: int or list of int for an order of its own, numpy Generator to go on drawing from, or
            None for NumPy's global random state.
        lengths: int array [n], the documents' lengths: documents of similar length share a batch,
            see `group_by_length`; the short batch may then be any. None for no such grouping.

    Yields:
        (x_batch, y_batch): arrays [<= batch_size, ...].

    Raises:
        ValueError: x and y differ in length, or batch_size is below 1.
    """
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; they must be the same")
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size}: expected at least 1")
    if not shuffle:
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            yield x[rows], y[rows]
        return
    random = np.random if seed is None else np.random.default_rng(seed)
    order = random.permutation(len(x))
    if lengths is None:
        batches = cut(order, batch_size)
    else:
        batches = group_by_length(order, lengths, batch_size, random)
    for rows in batches:
        yield x[rows], y[rows]
