"""The vocabulary: choosing it, writing it, reading it back."""

from pathlib import Path

import numpy as np

from data.documents import BOM, DataError, open_binary
from data.files import write_text

PAD = "<PAD>"
PAD_ID = 0
CODE_POINTS = 0x110000  # how many characters there can be
CHUNK = 1024  # documents handled at a time: bounds memory, long enough to amortise NumPy calls


def code_points(texts):
    """All characters of some texts, one after the other, as a uint32 array."""
    # surrogatepass: a str may hold half a surrogate pair, which is a character like any other.
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")


def count_words(texts, vocab_size):
    """Chooses a vocabulary.

    Args:
        texts: list of str.
        vocab_size: int >= 2, how many words to keep at most, PAD included.

    Returns:
        list of str: PAD, then the most frequent characters, the more frequent first and, among
        equals, the lower code point first.
    """
    if vocab_size < 2:
        raise ValueError(f"vocab_size {vocab_size}: expected at least 2 (PAD and one character)")
    counts = np.zeros(CODE_POINTS, dtype=np.int64)
    for start in range(0, len(texts), CHUNK):
        counts += np.bincount(code_points(texts[start : start + CHUNK]), minlength=CODE_POINTS)
    # A stable sort of ascending code points leaves ties in code point order.
    order = np.argsort(-counts, kind="stable")[: vocab_size - 1]
    return [PAD] + [chr(code) for code in order if counts[code]]


# A word that would break the one-word-a-line format is written as a two-character escape; a longer
# word that starts with a backslash gets one more, so that reading back is exact.
_ESCAPES = {"\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escape: word for word, escape in _ESCAPES.items()}


def write_vocab(filename, words):
    """Writes one word a line in id order, UTF-8, such that `read_vocab` returns the same words."""
    lines = [
        _ESCAPES.get(word, "\\" + word if word.startswith("\\") and len(word) > 1 else word)
        for word in words
    ]
    write_text(filename, "".join(line + "\n" for line in lines))


def read_vocab(vocab_dir):
    """Reads a vocabulary; white-space characters are words like any other.

    Args:
        vocab_dir: str or Path of the vocabulary FILE (the name is historical).

    Returns:
        (words, word_to_id): list of str in id order, dict from word to id.

    Raises:
        DataError: no such file, not UTF-8, empty, or a word twice.
    """
    path = Path(vocab_dir)
    with open_binary(path) as file:
        content = file.read()
    try:
        lines = content.decode("utf-8").removeprefix(BOM).removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8; rebuild the vocabulary") from None
    if lines == [""]:
        raise DataError(f"{path}: the vocabulary is empty; rebuild it")
    if all(line.endswith("\r") for line in lines):  # saved by an editor with CRLF line ends
        lines = [line.removesuffix("\r") for line in lines]
    words = [_unescape(line) for line in lines]
    word_to_id = {}
    for index, word in enumerate(words):
        if word in word_to_id:
            raise DataError(
                f"{path}:{index + 1}: {word!r} is on line {word_to_id[word] + 1} already; "
                "rebuild the vocabulary"
            )
        word_to_id[word] = index
    return words, word_to_id


def _unescape(line):
    if line in _UNESCAPES:
        return _UNESCAPES[line]
    return line[1:] if line.startswith("\\\\") else line
