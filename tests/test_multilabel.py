"""Models of several labels: loss, scores and thresholds against independent oracles; end to end."""

import json
import shutil

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

import predict
from cnn_model import TCNNConfig, TextCNN
from rnn_model import TextRNN, TRNNConfig
from tests import oracles
from tests.conftest import (
    SIZES,
    TINY_FLAGS,
    in_process,
    initialised_session,
    is_refused,
    ragged_ids,
)
from textclf import cli, evaluation
from textclf import tensorflow_v1 as tf
from textclf.attribution import margin_direction
from textclf.explanation import explain
from textclf.multilabel import SetEvaluation, best_ids, label_lists
from textclf.sealed import CheckpointError, write_sealed
from textclf.thresholds import Thresholds, choose_threshold

LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=np.float32)  # unequal sizes of sets


def _loss(logits):
    """Mean over documents of the sum over categories of the sigmoid cross-entropy."""
    each = LABELS * special.log_expit(logits) + (1 - LABELS) * special.log_expit(-logits)
    return -each.sum(axis=1).mean()


def test_loss_probabilities_and_accuracy_are_those_of_the_formulas(graph, random):
    model = TextCNN(TCNNConfig(**SIZES, kernel_size=2, multi_label=True))
    session, weights = initialised_session(graph, random)
    ids = ragged_ids(random, 3, SIZES["seq_length"], SIZES["vocab_size"])
    with session:
        fetches = [model.logits, model.loss, model.probabilities, model.acc, model.y_pred_cls]
        logits, loss, probabilities, accuracy, best = session.run(fetches, model.feed(ids, LABELS))
    expected = oracles.cnn_logits(ids, weights)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert loss == pytest.approx(_loss(expected), rel=1e-5)
    np.testing.assert_allclose(probabilities, special.expit(expected), rtol=1e-4)
    assert accuracy == pytest.approx(((expected >= 0) == LABELS).all(axis=1).mean())
    assert best.tolist() == expected.argmax(axis=1).tolist()


def test_gradients_are_finite_differences_of_the_loss(graph, random):
    model = TextCNN(TCNNConfig(**SIZES, kernel_size=2, multi_label=True))
    session, weights = initialised_session(graph, random)
    ids = ragged_ids(random, 3, SIZES["seq_length"], SIZES["vocab_size"])
    names = ["embedding", "conv/kernel", "fc2/kernel", "fc2/bias"]
    variables = {variable.op.name: variable for variable in tf.trainable_variables()}
    found = tf.gradients(model.loss, [variables[name] for name in names])
    with session:
        found = session.run([tf.convert_to_tensor(g) for g in found], model.feed(ids, LABELS))
    for name, gradient in zip(names, found, strict=True):
        for flat in random.choice(gradient.size, size=min(6, gradient.size), replace=False):
            at = np.unravel_index(flat, gradient.shape)
            moved = []
            for step in (1e-5, -1e-5):
                other = {**weights, name: weights[name].copy()}
                other[name][at] += step
                moved.append(_loss(oracles.cnn_logits(ids, other)))
            slope = (moved[0] - moved[1]) / 2e-5
            assert gradient[at] == pytest.approx(slope, rel=1e-3, abs=1e-5), name


def test_evaluation_is_in_the_order_of_the_documents(graph, random):
    config = TRNNConfig(**SIZES, rnn="gru", num_layers=1, multi_label=True)
    model = TextRNN(config, training=False)
    session, weights = initialised_session(graph, random)
    ids = ragged_ids(random, 3, SIZES["seq_length"], SIZES["vocab_size"])[[1, 2, 0]]
    with session:
        result = evaluation.evaluate(session, model, ids, LABELS, batch_size=2)
    logits = oracles.rnn_logits(
        ids, weights, rnn="gru", units=SIZES["hidden_dim"], num_layers=1, mask_padding=True
    )
    np.testing.assert_allclose(result.probabilities, special.expit(logits), rtol=1e-4)
    assert result.loss == pytest.approx(_loss(logits), rel=1e-5)
    assert result.accuracy == ((logits >= 0) == LABELS).all(axis=1).mean()


def _drawn(random, count=60, classes=5):
    """Labels, and probabilities that know something of them; some are equal, one label is rare."""
    labels = random.random((count, classes)) < np.linspace(0.03, 0.6, classes)
    logits = 2.0 * labels - 1.0 + random.normal(scale=1.3, size=labels.shape)
    return labels, np.round(special.expit(logits), 2).astype(np.float32)


@pytest.mark.parametrize("limits", [0.5, np.array([0.1, 0.9, 0.5, 0.3, 0.66], np.float32)])
def test_scores_are_those_of_scikit_learn(random, limits):
    labels, probabilities = _drawn(random)
    labels[3:5] = False  # documents without a label
    probabilities[4] = 0.0
    probabilities[:, 1] = 0.0  # a category that is never given
    found = SetEvaluation(0.0, labels, probabilities, limits)
    given = probabilities >= limits
    for name, value in (
        ("micro", found.micro_f1),
        ("macro", found.macro_f1),
        ("samples", found.samples_f1),
    ):
        expected = metrics.f1_score(labels, given, average=name, zero_division=0)
        assert value == pytest.approx(expected), name
    assert evaluation.macro_f1(found, 5) == found.macro_f1
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, given))
    assert found.hamming_loss == pytest.approx(metrics.hamming_loss(labels, given))


def test_the_report_has_averages_and_the_table_of_each_category():
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], dtype=bool)
    probabilities = np.array([[0.9, 0.6], [0.2, 0.7], [0.1, 0.1], [0.3, 0.2]], dtype=np.float32)
    result = SetEvaluation(0.0, labels, probabilities)
    lines = [line.split() for line in evaluation.set_report(result, ["甲", "乙"]).splitlines()]
    rows = {tuple(line[:-4]): line[-4:] for line in lines if line}
    assert rows["甲",] == ["1.00", "0.50", "0.67", "2"]
    assert rows["乙",] == ["0.50", "0.50", "0.50", "2"]
    assert rows["micro", "avg"] == ["0.67", "0.50", "0.57", "4"]
    assert rows["macro", "avg"] == ["0.75", "0.50", "0.58", "4"]
    assert rows["samples", "avg"] == ["0.38", "0.38", "0.38", "4"]
    counts = [line.split() for line in evaluation.set_counts(result, ["甲", "乙"]).splitlines()]
    assert counts[1:] == [["1", "0", "1", "2", "甲"], ["1", "1", "1", "1", "乙"]]


def _f1(probabilities, labels, threshold):
    return metrics.f1_score(labels, probabilities >= np.float32(threshold), zero_division=0)


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_has_a_larger_f1(seed):
    random = np.random.default_rng(seed)
    labels, probabilities = _drawn(random, count=25)
    for column in range(5):
        scores, truth = probabilities[:, column], labels[:, column]
        found = choose_threshold(scores, truth)
        if not truth.any():
            assert found == 0.5
            continue
        best = _f1(scores, truth, found)
        grid = np.concatenate([scores, np.nextafter(scores, np.float32(2)), [0.0, 0.5, 1.0]])
        every = {float(limit): _f1(scores, truth, limit) for limit in grid}
        assert best == pytest.approx(max(every.values()))
        # A half would do if it is as good; and nothing between it and the threshold is as good but
        # what gives the same documents.
        if every[0.5] == pytest.approx(best):
            assert found == 0.5
        given = scores >= np.float32(found)
        for limit, value in every.items():
            nearer = abs(limit - 0.5) < abs(found - 0.5)
            if nearer and value == pytest.approx(best):
                assert ((scores >= np.float32(limit)) == given).all()


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        ([0.1, 0.3, 0.9], [0, 1, 1], 0.2),  # in the middle between neighbours
        ([0.1, 0.6, 0.9], [0, 1, 1], 0.5),  # a half is as good as 0.35
        ([0.6, 0.7, 0.8], [0, 0, 1], 0.75),
        ([0.2, 0.2, 0.4], [1, 1, 1], 0.1),  # all of them
        ([0.25, 0.75, 0.9], [0, 0, 0], 0.5),  # nobody has it
        ([0.0, 0.0], [1, 0], 0.0),
        ([1.0], [1], 0.5),
    ],
)
def test_thresholds_by_hand(probabilities, labels, expected):
    found = choose_threshold(np.array(probabilities, np.float32), np.array(labels, bool))
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_threshold_between_two_neighbouring_numbers_gives_the_upper_one_alone():
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1))
    found = choose_threshold(np.array([low, high]), np.array([False, True]))
    assert found == float(high)
    # As it is kept: JSON and back, and compared in float32.
    assert np.float32(json.loads(json.dumps(found))) > low


def test_lists_are_in_order_of_probability_and_the_best_is_one_that_is_given():
    probabilities = np.array([[0.2, 0.6, 0.4], [0.1, 0.1, 0.3], [0.9, 0.8, 0.95]], np.float32)
    limits = np.array([0.1, 0.7, 0.35], np.float32)
    assert label_lists(probabilities, limits, ["a", "b", "c"]) == [
        ["c", "a"],
        ["a"],
        ["c", "a", "b"],
    ]
    assert best_ids(probabilities, limits).tolist() == [2, 0, 2]
    assert best_ids(probabilities, None).tolist() == [1, 2, 2]
    assert best_ids(probabilities[:2], np.full(3, 0.7)).tolist() == [1, 2]  # none is given


# One word for each label, and filling; a few sets are learned in a few steps.
WORDS = {"体育": "球赛", "财经": "股市", "教育": "学校"}


def _line(number):
    labels = [label for bit, label in enumerate(WORDS) if (number >> bit) & 1]
    filling = "一二三四五六七"[number % 7] * (1 + number % 3)
    text = filling + "".join(WORDS[label] for label in labels) + "八" * (number % 2)
    return ",".join(reversed(labels)) + "\t" + text


FLAGS = [*TINY_FLAGS, "--multi-label", "--learning-rate", "0.02", "--print-per-batch", "20"]
FLAGS += ["--dropout-keep-prob", "0.9", "--embedding-dim", "16", "--hidden-dim", "16"]
EPOCHS = ["--num-epochs", "8"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a data set of label lists, and a model of it in `checkpoints/textcnn`."""
    folder = tmp_path_factory.mktemp("several")
    for split, numbers in (("train", range(72)), ("val", range(3, 20)), ("test", range(31, 55))):
        lines = "".join(_line(number) + "\n" for number in numbers)
        (folder / f"{split}.txt").write_text(lines, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = ["train", "--data-dir", ".", *FLAGS, *EPOCHS]
        assert cli.main(TCNNConfig, TextCNN, command) == 0
    return folder


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace


RUN = "checkpoints/textcnn"


@pytest.fixture
def copy(workplace, tmp_path, monkeypatch):
    """A working folder of its own with the same in it."""
    shutil.copytree(workplace, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def _weights(folder):
    return {
        path.name: path.read_bytes()
        for path in sorted((folder / RUN / "weights").rglob("*"))
        if path.is_file()
    }


def test_training_says_what_it_watches_and_keeps_it(here, capsys):
    config = json.loads((here / RUN / "config.json").read_text())["config"]
    assert config["multi_label"] is True
    assert config["monitor"] == "micro-f1"
    records = [json.loads(line) for line in (here / RUN / "metrics.jsonl").open()]
    watched = [r["micro_f1"] for r in records if r["split"] == "validation"]
    best = json.loads((here / RUN / "state.json").read_text())["best"]
    assert best["val_micro_f1"] == max(watched)
    assert (here / RUN / "thresholds.json").exists()
    assert not (here / RUN / "calibration.json").exists()


def test_a_resumed_training_ends_with_the_same_bits(here, tmp_path, monkeypatch, capsys):
    half = tmp_path / "half"
    half.mkdir()
    for split in ("train", "val", "test"):
        shutil.copy(here / f"{split}.txt", half)
    monkeypatch.chdir(half)
    flags = [*FLAGS, "--data-dir", "."]
    status, out, err = in_process(capsys, "run_cnn", "train", *flags, "--num-epochs", "3")
    assert status == 0
    assert "Val Micro-F1:" in out
    assert "Train Subset Acc:" in out
    assert "labels a document" in err
    assert "validation micro-F1" in err
    assert "Thresholds chosen on 17 validation documents" in err
    assert in_process(capsys, "run_cnn", "train", "--resume", *EPOCHS)[0] == 0
    whole = [(here / RUN / name).read_bytes() for name in ("metrics.jsonl", "thresholds.json")]
    assert [(half / RUN / n).read_bytes() for n in ("metrics.jsonl", "thresholds.json")] == whole
    assert _weights(half) == _weights(here)


def _test_sets(folder):
    lines = (folder / "test.txt").read_text(encoding="utf-8").splitlines()
    return [(set(labels.split(",")) - {""}, text) for labels, text in map(_fields, lines)]


def _fields(line):
    return line.split("\t")


def test_testing_scores_sets_as_the_predictor_gives_them(here, capsys):
    status, out, err = in_process(capsys, "run_cnn", "test")
    assert status == 0
    with predict.CnnModel() as model:
        categories = model.categories
        truth = _test_sets(here)
        given = model.predict_many([text for _, text in truth])
        assert given[0] == model.predict(truth[0][1])
        probabilities = model.predict_proba([text for _, text in truth])
    labels = np.array([[c in s for c in categories] for s, _ in truth])
    said = np.array([[c in s for c in categories] for s in given])
    assert probabilities.shape == labels.shape
    f1, subset = metrics.f1_score(labels, said, average="micro"), (labels == said).all(axis=1)
    assert f1 > 0.8  # it has learned something
    assert not np.allclose(probabilities.sum(axis=1), 1.0, atol=0.05)
    line = next(line for line in out.splitlines() if line.startswith("Test Loss"))
    assert f"Test Micro-F1: {f1:>7.2%}, Subset Acc: {subset.mean():>7.2%}" in line
    assert f"Hamming Loss: {(labels != said).mean():>7.2%}" in line
    assert "samples avg" in out
    assert "Confusion" not in out
    counts = [row.split() for row in out[out.index("rightly not") :].splitlines()[1:4]]
    assert [int(row[0]) for row in counts] == (labels & said).sum(axis=0).tolist()
    assert [row[-1] for row in counts] == categories
    assert "No thresholds" not in err


def test_thresholds_are_used_with_the_weights_they_belong_to_alone(copy, capsys):
    path = copy / RUN / "thresholds.json"
    with predict.CnnModel() as model:
        kept = json.loads(path.read_text())
        assert model.thresholds.tolist() == kept["values"]
        texts = [text for _, text in _test_sets(copy)]
        model.thresholds = np.full(3, 2.0)
        assert model.predict_many(texts) == [[]] * len(texts)
        assert model.predict(texts[0]) == []
        model.thresholds = np.zeros(3)
        assert [set(labels) for labels in model.predict_many(texts)] == [set(WORDS)] * len(texts)
        ranked = model.predict_proba(texts[:1])[0].argsort()[::-1]
        assert model.predict(texts[0]) == [model.categories[at] for at in ranked]
    others = {name: value for name, value in kept.items() if name != "sha256"}
    write_sealed(path, {**others, "weights": {"other": "0"}})
    with predict.CnnModel() as model:
        assert model.thresholds.tolist() == [0.5] * 3
    _, _, err = in_process(capsys, "run_cnn", "test")
    assert "No thresholds were chosen for these weights: 0.5 for every category" in err
    path.write_text(path.read_text().replace('"documents": 17', '"documents": 18'))
    with pytest.raises(CheckpointError, match=r"thresholds\.json: was changed"):
        predict.CnnModel()


def test_a_category_without_validation_documents_gets_a_half_and_a_remark(random):
    labels, probabilities = _drawn(random)
    labels[:, 2] = False
    found = Thresholds.measure(SetEvaluation(0.0, labels, probabilities), [*"甲乙丙丁戊"])
    assert found.values[2] == 0.5
    assert found.unseen == ["丙"]
    assert "0.5 where no validation document has the category: 丙" in found.describe()
    after = probabilities >= np.array(found.values, np.float32)
    assert found.macro_after == pytest.approx(
        metrics.f1_score(labels, after, average="macro", zero_division=0)
    )
    assert found.macro_after >= found.macro_before


def _rows(text, kind):
    lines = text.splitlines()
    if kind == "jsonl":
        return [json.loads(line) for line in lines]
    head, *rows = (line.split("\t") for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("kind", ["tsv", "jsonl"])
def test_rows_are_written_with_their_sets_and_compared_with_their_labels(here, capsys, kind):
    command = ["--input", "test.txt", "--format", "txt", "--output-format", kind]
    command += ["--top-k", "2", "--probabilities"]
    status, out, err = in_process(capsys, "predict", *command)
    assert status == 0
    truth = _test_sets(here)
    with predict.CnnModel() as model:
        texts = [text for _, text in truth]
        given, probabilities = model.predict_many(texts), model.predict_proba(texts)
        categories = model.categories
    rows = _rows(out, kind)
    right = [set(lists) == labels for lists, (labels, _) in zip(given, truth, strict=True)]
    for row, lists, scores, (labels, text) in zip(rows, given, probabilities, truth, strict=True):
        order = scores.argsort()[::-1]
        best = scores[categories.index(lists[0])] if lists else scores.max()
        assert float(row["probability"]) == pytest.approx(best, rel=1e-5)
        assert row["label"] == ",".join(sorted(labels))
        assert row["text"] == text
        if kind == "jsonl":
            assert row["categories"] == lists
            assert [name for name, _ in row["top"]] == [categories[at] for at in order[:2]]
            assert list(row["probabilities"]) == categories
        else:
            assert row["category"] == ",".join(lists)
            assert [row["category_1"], row["category_2"]] == [categories[at] for at in order[:2]]
            assert float(row["probability_1"]) == pytest.approx(scores.max(), rel=1e-5)
            assert float(row["probability:体育"]) == pytest.approx(scores[0], rel=1e-5)
    matrix = [
        [[c in s for c in categories] for s in sets]
        for sets in ([labels for labels, _ in truth], given)
    ]
    f1 = metrics.f1_score(*np.array(matrix), average="micro")
    count = f"{sum(right)} of {len(right)} rows"
    assert f"Subset accuracy: {np.mean(right):.2%} ({count}), micro-F1: {f1:.2%}" in err


def test_labels_that_are_unknown_or_missing_are_left_out(here, tmp_path, capsys):
    rows = [{"text": "球赛"}, {"text": "股市", "label": None}, {"text": "学校", "label": []}]
    rows += [{"text": "一", "label": ["体育", "无人"]}, {"text": "球赛", "label": "体育, 体育,"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["--input", str(path), "--label-column", "label", "--output-format", "jsonl"]
    status, out, err = in_process(capsys, "predict", *command)
    assert status == 0
    assert [row["label"] for row in _rows(out, "jsonl")] == [None, None, "", "体育,无人", "体育"]
    assert "of 2 rows), micro-F1:" in err
    assert "Left out: 1 with a label the model does not know ('无人' 1)" in err
    assert "Left out: 2 without a label" in err


def test_people_read_a_dash_where_no_category_is_given(copy, capsys):
    status, out, _ = in_process(capsys, "predict", "球赛股市", "七七")
    assert status == 0
    with predict.CnnModel() as model:
        expected = model.predict_many(["球赛股市", "七七"])
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        ",".join(labels) or "-" for labels in expected
    ]


def test_an_explanation_is_that_of_the_best_category_in_its_own_log_odds(here, capsys):
    with predict.CnnModel() as model:
        (found,) = explain(model, ["球赛一一"])
        (probabilities,) = model.predict_proba(["球赛一一"])
        (asked,) = explain(model, ["球赛一一"], "教育")
    assert found.category == "体育"
    assert found.margin == pytest.approx(special.logit(probabilities[0]), rel=1e-4)
    assert found.scores.sum() + found.rest == pytest.approx(found.margin, abs=1e-9)
    assert asked.margin == pytest.approx(special.logit(probabilities[2]), rel=1e-4)
    assert margin_direction(np.zeros((1, 3)), [1], multi_label=True).tolist() == [[0, 1, 0]]
    command = ["--explain", "--output-format", "jsonl", "球赛一一"]
    status, out, _ = in_process(capsys, "predict", *command)
    assert status == 0
    assert _rows(out, "jsonl")[0]["explained"] == "体育"


def test_what_is_for_one_category_is_refused(here, capsys):
    for flags, message in (
        (["--max-error", "0.05", "球"], "max_error: promises an error rate of single answers"),
        (["--top-k", "4", "球"], "top_k 4: the model has 3 categories"),
    ):
        is_refused(here, capsys, ["predict", *flags], 2, message)


def test_a_file_is_divided_trained_and_tested_with_a_recurrent_network(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    lines = "".join(_line(number) + "\n" for number in range(64))
    (tmp_path / "all.txt").write_text(lines, encoding="utf-8")
    flags = ["--data-dir", "all.txt", *TINY_FLAGS, "--num-layers", "1", "--num-epochs", "1"]
    assert in_process(capsys, "run_rnn", "train", "--multi-label", *flags)[0] == 0
    status, out, _ = in_process(capsys, "run_rnn", "test")
    assert status == 0
    assert "samples avg" in out
    with predict.RnnModel() as model:
        assert all(isinstance(labels, list) for labels in model.predict_many(["球赛", "股市学校"]))
