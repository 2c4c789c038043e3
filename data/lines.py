"""The lines of a text file, compressed or not, in any encoding and of any length."""

import codecs
import gzip
import io
import lzma
import zlib
from pathlib import Path

from data.documents import BOM, MOST_QUOTED
from data.errors import ConfigError, DataError

# No one labels a document of ten million bytes; a line that long is a file without line ends.
LONGEST_LINE = 10_000_000
OPENERS = {".gz": gzip.open, ".xz": lzma.open}  # file name ending -> how to open it
# Encodings that text which is not UTF-8 is compared with, the likelier first.
LIKELY_ENCODINGS = ("gb18030", "utf_16", "big5", "cp932", "cp949", "cp1252")
_SAMPLE_BYTES = 20_000  # enough to tell encodings apart, little enough to be quick


def check_encoding(encoding):
    """Raises ConfigError unless Python knows this encoding of text."""
    try:
        "\n".encode(encoding)
    except (LookupError, UnicodeError):
        raise ConfigError(
            f"encoding {encoding!r}: not known; utf-8, gb18030, big5 and utf-16 are"
        ) from None


def open_binary(path):
    """Opens a Path for reading bytes, decompressing what its name says is compressed.

    Raises:
        DataError: it cannot be opened.
    """
    try:
        return OPENERS.get(path.suffix.lower(), Path.open)(path, "rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a readable text file") from None


def guess_encoding(sample):
    """The encoding that bytes look like, as a name for `--encoding`, or None."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    from charset_normalizer import from_bytes  # rarely needed

    matches = from_bytes(sample, cp_isolation=list(LIKELY_ENCODINGS))
    ranked = sorted(
        (match.chaos, -match.coherence, LIKELY_ENCODINGS.index(match.encoding))
        for match in matches
        if match.encoding in LIKELY_ENCODINGS
    )
    return LIKELY_ENCODINGS[ranked[0][2]].replace("_", "-") if ranked else None


class Lines:
    """Iterates over (number, text) of the lines of a file, which end at LF, without it.

    A line that cannot be text is yielded all the same, as far as it can
    be shown, and has an entry in `faults`.

    Attributes:
        faults: dict from line number (from 1) to (kind, remedy).
    """

    def __init__(self, path, encoding="utf-8"):
        """
        Args:
            path: Path; `.gz` and `.xz` are decompressed.
            encoding: str, see check_encoding.
        """
        self._path = path
        self._encoding = encoding
        self._advice = None
        self.faults = {}

    def __iter__(self):
        number = 0
        try:
            with open_binary(self._path) as file:
                encoding = self._encoding
                if "\n".encode(encoding) != b"\n":  # UTF-16 and its like cannot be cut at a byte
                    file, encoding = self._transcode(file), "utf-8"
                for number, raw in enumerate(self._cut(file), start=1):
                    text = self._decode(number, raw, encoding)
                    yield number, text.removeprefix(BOM) if number == 1 else text
        except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise DataError(
                f"{self._path}: the compressed data breaks off or is damaged after line {number} "
                f"({error}); copy or compress the file again"
            ) from None
        except OSError as error:
            raise DataError(f"{self._path}: cannot be read ({error.strerror})") from None

    def _cut(self, file):
        """Yields lines as bytes; of one that is too long, only the beginning."""
        number = 0
        while raw := file.readline(LONGEST_LINE):
            number += 1
            length = len(raw)
            while length >= LONGEST_LINE and not raw.endswith(b"\n"):
                rest = file.readline(LONGEST_LINE)
                length += len(rest)
                if len(rest) < LONGEST_LINE or rest.endswith(b"\n"):
                    break
            if length > LONGEST_LINE:
                remedy = f"{length:,} bytes, at most {LONGEST_LINE:,} are read; split it"
                self.faults[number] = ("line too long", remedy)
                raw = raw[:1000]
            yield raw.removesuffix(b"\n")

    def _decode(self, number, raw, encoding):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            if number not in self.faults:
                self.faults[number] = (f"not {self._encoding.upper()}", self._explain(error))
            text = raw.decode(encoding, "backslashreplace")
        if "\0" in text:
            self.faults.setdefault(
                number, ("NUL character", "take it out; or is this another encoding, or no text?")
            )
            text = text.replace("\0", "\\x00")
        return text

    def _explain(self, error):
        if self._advice is None:
            with open_binary(self._path) as file:
                sample = file.read(_SAMPLE_BYTES)
            # Cut at a line end: half a character at the end looks like another encoding.
            guess = guess_encoding(sample[: sample.rfind(b"\n") + 1] or sample)
            self._advice = (
                f"the file looks like {guess.upper()}: give --encoding {guess}"
                if guess and guess != self._encoding
                else ""
            )
        advice = self._advice
        if not advice:  # a mixed file: some lines are well
            few = len(self.faults) < MOST_QUOTED  # guessing takes a while
            guess = guess_encoding(error.object) if few else None
            alike = f"the line looks like {guess.upper()}, " if guess else ""
            advice = f"{alike}convert it to {self._encoding.upper()}"
        return f"byte {error.object[error.start]:#04x} at column {error.start + 1}; {advice}"

    def _transcode(self, file):
        content = file.read()
        try:
            return io.BytesIO(content.decode(self._encoding).encode("utf-8"))
        except UnicodeError as error:
            raise DataError(
                f"{self._path}: not {self._encoding.upper()} ({error}); "
                "name the right encoding with --encoding"
            ) from None
