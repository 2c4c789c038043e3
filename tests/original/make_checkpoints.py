"""Makes the checkpoints beside it, under TensorFlow 1.15 and without a line of this project.

Each is a small model as the original code builds them, trained for a few steps on an invented
corpus, with the vocabulary file as the original writes it. `expected.json` holds what TensorFlow
1.15 itself says of the test documents. To run it again (it needs Python 3.7, writes to its folder,
and with the seed for hashing makes the same files every time):

    PYENV_VERSION=3.7.16 python -m venv /tmp/tf1
    /tmp/tf1/bin/pip install "tensorflow==1.15.5" "protobuf<3.21"
    PYTHONHASHSEED=0 /tmp/tf1/bin/python tests/original/make_checkpoints.py
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent
CNEWS = ["体育", "财经", "房产", "家居", "教育", "科技", "时尚", "时政", "游戏", "娱乐"]
MARKS = ["球赛", "股市", "楼房", "桌椅", "学校", "手机", "衣裙", "会谈", "玩家", "影星"]
# Characters that `strip` takes away: the original counts them, and never finds them again. A tab
# cannot stand in a text; LS and NEL are line ends to `str.splitlines`, but not in a file.
SPACES = [" ", "\u3000", "\xa0", "\u2028", "\x85", "\x1c"]
TOPICS = {
    "sport": ["ball", "team", "goal"],
    "money": ["bank", "stock", "rate"],
    "school": ["pupil", "exam", "class"],
}

# name -> what it is; sizes that are unequal where they can be, so that swapped axes are seen.
CHARACTERS = {"corpus": "characters", "vocab_size": 30, "seq_length": 9, "dim": 5, "hidden": 6}
VARIANTS = {
    "cnn": dict(CHARACTERS, filters=4, kernel=3),
    "cnn_words": {
        "corpus": "words",
        "vocab_size": 14,
        "seq_length": 6,
        "dim": 3,
        "hidden": 4,
        "filters": 5,
        "kernel": 2,
    },
    "gru": dict(CHARACTERS, cell="gru", layers=2),
    "lstm": dict(CHARACTERS, cell="basic_lstm", layers=1, hidden=4),
    "lstm_cell": dict(CHARACTERS, cell="lstm", layers=3, hidden=7),
}


def character_lines(random, count):
    """Lines whose label two characters decide, between others and white space."""
    filler = list("的一是在了有人这中大") + SPACES
    lines = []
    for number in range(count):
        label = number % len(CNEWS)
        text = [str(random.choice(list(MARKS[label]))) for _ in range(random.randint(1, 6))]
        text += [str(random.choice(filler)) for _ in range(random.randint(0, 9))]
        random.shuffle(text)
        if not "".join(text).strip():
            text.append(MARKS[label][0])
        lines.append(CNEWS[label] + "\t" + "".join(text))
    return lines


def word_lines(random, count):
    lines = []
    for number in range(count):
        label = list(TOPICS)[number % len(TOPICS)]
        text = [str(random.choice(TOPICS[label])) for _ in range(random.randint(1, 5))]
        text += [str(random.choice(["the", "a", "of", "and", "to", "in", "is"])) for _ in range(4)]
        random.shuffle(text)
        lines.append(label + "\t" + "  ".join(text))
    return lines


def write_corpora():
    """Writes train.txt and test.txt of every corpus, and the categories that are not CNews."""
    for name, make, last in (
        ("characters", character_lines, ["体育\t𝄞未知", "财经\t\u3000 股\xa0\u2028市 \u3000的"]),
        (
            "words",
            word_lines,
            ["sport\tUnseen words", "money\t\u3000bank\xa0the \u2028stock\u3000"],
        ),
    ):
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        for split, count, seed in (("train", 120, 1), ("test", 30, 2)):
            lines = make(np.random.RandomState(seed), count) + (last if split == "test" else [])
            (folder / (split + ".txt")).write_bytes(
                "".join(x + "\n" for x in lines).encode("utf-8")
            )
    (HERE / "words" / "categories.txt").write_text("\n".join(TOPICS) + "\n", encoding="utf-8")


def read_documents(path, corpus):
    """Labels, and texts as lists of tokens."""
    labels, texts = [], []
    with path.open(encoding="utf-8") as file:
        for line in file:
            label, text = line.strip().split("\t")
            labels.append(label)
            texts.append(text.split() if corpus == "words" else list(text))
    return labels, texts


def write_vocab(path, texts, size):
    """The most frequent tokens under an entry for the padding, a line each."""
    counts = Counter(token for text in texts for token in text)
    tokens = ["<PAD>"] + [token for token, _ in counts.most_common(size - 1)]
    assert len(tokens) == size
    with path.open("w", encoding="utf-8") as file:
        file.write("\n".join(tokens) + "\n")


def to_ids(texts, vocab, seq_length):
    """What the original feeds: every line of the vocabulary file stripped, unknown tokens out."""
    with vocab.open(encoding="utf-8") as file:
        id_of = {line.strip(): number for number, line in enumerate(file)}
    rows = [[id_of[token] for token in text if token in id_of] for text in texts]
    return tf.keras.preprocessing.sequence.pad_sequences(rows, seq_length)


def features_of_cnn(embedded, about):
    with tf.name_scope("cnn"):
        windows = tf.layers.conv1d(embedded, about["filters"], about["kernel"], name="conv")
        return tf.reduce_max(windows, axis=1)


def features_of_rnn(embedded, about, keep_prob):
    cell_class = {
        "gru": tf.nn.rnn_cell.GRUCell,
        "basic_lstm": tf.nn.rnn_cell.BasicLSTMCell,
        "lstm": tf.nn.rnn_cell.LSTMCell,
    }[about["cell"]]
    cells = [
        tf.nn.rnn_cell.DropoutWrapper(cell_class(about["hidden"]), output_keep_prob=keep_prob)
        for _ in range(about["layers"])
    ]
    stacked = tf.nn.rnn_cell.MultiRNNCell(cells)
    outputs, _ = tf.nn.dynamic_rnn(stacked, embedded, dtype=tf.float32)
    return outputs[:, -1]


def build(about, classes):
    """Builds the graph; returns its tensors by name."""
    ids = tf.placeholder(tf.int32, [None, about["seq_length"]])
    one_hot = tf.placeholder(tf.float32, [None, classes])
    keep_prob = tf.placeholder(tf.float32, [])
    table = tf.get_variable("embedding", [about["vocab_size"], about["dim"]])
    embedded = tf.nn.embedding_lookup(table, ids)
    if "cell" in about:
        features = features_of_rnn(embedded, about, keep_prob)
    else:
        features = features_of_cnn(embedded, about)
    with tf.name_scope("score"):
        dense = tf.layers.dense(features, about["hidden"], name="fc1")
        dense = tf.nn.relu(tf.nn.dropout(dense, rate=1 - keep_prob))
        logits = tf.layers.dense(dense, classes, name="fc2")
        predicted = tf.argmax(tf.nn.softmax(logits), 1)
    with tf.name_scope("optimize"):
        losses = tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=one_hot)
        loss = tf.reduce_mean(losses)
        train = tf.train.AdamOptimizer(0.02).minimize(loss)
    right = tf.equal(tf.argmax(one_hot, 1), predicted)
    return {
        "ids": ids,
        "one_hot": one_hot,
        "keep_prob": keep_prob,
        "train": train,
        "logits": logits,
        "loss": loss,
        "accuracy": tf.reduce_mean(tf.cast(right, tf.float32)),
    }


def make(folder, about, train, test, categories, steps=200, batch_size=40):
    """Trains a model, saves it in a folder, and returns what it says of the test documents.

    Args:
        train, test: (labels, texts), see read_documents.
    """
    folder.mkdir(exist_ok=True)
    write_vocab(folder / "vocab.txt", train[1], about["vocab_size"])
    ids, labels = {}, {}
    for split, (names, texts) in (("train", train), ("test", test)):
        ids[split] = to_ids(texts, folder / "vocab.txt", about["seq_length"])
        labels[split] = np.eye(len(categories))[[categories.index(name) for name in names]]
    # One thread: the same sums in the same order, and so the same files, every time.
    settings = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.Session(config=settings) as session:
        tf.set_random_seed(3)
        graph = build(about, len(categories))
        session.run(tf.global_variables_initializer())
        order = np.random.RandomState(4)
        for _ in range(steps):
            rows = order.choice(len(ids["train"]), batch_size, replace=False)
            session.run(
                graph["train"], _feed(graph, ids["train"][rows], labels["train"][rows], 0.8)
            )
        saver = tf.train.Saver()
        prefix = str(folder / "best_validation")
        saver.save(session, prefix, write_meta_graph=False, write_state=False)
        feed = _feed(graph, ids["test"], labels["test"], 1.0)
        found = session.run({key: graph[key] for key in ("logits", "loss", "accuracy")}, feed)
        found["ids"] = ids["test"]
        return {key: np.asarray(value).tolist() for key, value in found.items()}


def _feed(graph, ids, one_hot, keep_prob):
    return {graph["ids"]: ids, graph["one_hot"]: one_hot, graph["keep_prob"]: keep_prob}


def main():
    write_corpora()
    for name, about in VARIANTS.items():
        corpus = HERE / about["corpus"]
        train, test = (
            read_documents(corpus / (split + ".txt"), about["corpus"])
            for split in ("train", "test")
        )
        categories = list(TOPICS) if about["corpus"] == "words" else CNEWS
        expected = make(HERE / name, about, train, test, categories)
        text = json.dumps(dict(about, tensorflow=tf.__version__, **expected))
        (HERE / name / "expected.json").write_text(text + "\n")
        print(name, expected["loss"], expected["accuracy"])


if __name__ == "__main__":
    main()
