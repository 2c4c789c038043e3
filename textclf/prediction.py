"""Text -> category, with a trained model."""

import functools

from textclf import runtime
from textclf import tensorflow_v1 as tf
from textclf.calibration import at_temperature, read_calibration
from textclf.checkpoint import RunDirectory
from textclf.evaluation import score
from textclf.flags import default_save_dir
from textclf.loading import encoder
from textclf.original import OriginalCheckpoint


class Predictor:
    """A trained model, loaded once; needs its run directory and nothing else.

    `from_original` loads a checkpoint of the original TF1 code instead. A subclass names its
    `config_class` and `model_class`.

    Attributes:
        categories: list of str, in the order of the columns of `predict_proba`.
        cat_to_id: dict from category to id.
        words, word_to_id: the vocabulary.
        config: ClassifierConfig.
        model: TextClassifier.
        session: tf.Session.
        engine: str, what computes it.
        calibration: Calibration of the weights, or None if they have none.
        temperature: float, what all probabilities are given at: that of the calibration, or 1. It
            may be set; 1 gives those of the graph.
    """

    engine = "TensorFlow"
    config_class = None
    model_class = None

    def __init__(self, save_dir=None, device="auto", *, run=None):
        """
        Args:
            save_dir: str or Path of the run directory, None for the one training uses by default.
            device: see runtime.configure.
            run: RunDirectory or OriginalCheckpoint, in place of a `save_dir`.

        Raises:
            CheckpointError: there is no such model, or it is damaged.
        """
        if run is None:
            save_dir = save_dir or default_save_dir(self.model_class)
            run = RunDirectory.open(save_dir, self.model_class.name, self.config_class)
        self.config = run.config
        self.categories = run.categories
        self.cat_to_id = {category: index for index, category in enumerate(run.categories)}
        self.words = run.words
        self.word_to_id = {word: index for index, word in enumerate(run.words)}
        self._encoder = encoder(run.words, run.config)
        session_config = runtime.configure(device)
        with runtime.seeded_graph().as_default() as graph:
            self.model = self.model_class(run.config, training=False)
            self.session = tf.Session(graph=graph, config=session_config)
            self.calibration = read_calibration(run, run.weights.restore_best(self.session))
        self.temperature = self.calibration.temperature if self.calibration else 1.0

    @classmethod
    def from_original(cls, checkpoint, vocab, categories=None, device="auto", **config):
        """A model of the original TF1 code.

        Args:
            checkpoint, vocab, categories: see OriginalCheckpoint.open.
            device: see runtime.configure.
            config: values of config fields that the checkpoint does not tell, such as seq_length.

        Raises:
            ConfigError, CheckpointError, DataError: see OriginalCheckpoint.open.
        """
        classes = cls.config_class, cls.model_class
        run = OriginalCheckpoint.open(checkpoint, vocab, categories, config, *classes)
        return cls(device=device, run=run)

    @property
    def name(self):
        """TextClassifier.name of the model, str."""
        return self.model_class.name

    def weights(self):
        """The trained weights: dict from variable name to float32 array."""
        variables = self.session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
        return self.session.run({variable.op.name: variable for variable in variables})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Frees the session; the predictor is of no use afterwards."""
        self.session.close()

    def predict(self, message):
        """The category of one text.

        Args:
            message: str.

        Returns:
            str.
        """
        if self._single is None:
            return self.predict_many([message])[0]
        return self.categories[self._single(self.encode([message]).ids[0]).argmax()]

    @functools.cached_property
    def _single(self):
        return self.model.single(self.session)

    def predict_many(self, texts):
        """The categories of several texts.

        Args:
            texts: iterable of n str.

        Returns:
            list of n str.
        """
        return [self.categories[index] for index in self.predict_proba(texts).argmax(axis=1)]

    def encode(self, texts):
        """What the model reads of several texts.

        Args:
            texts: iterable of n str.

        Returns:
            Encoded.
        """
        return self._encoder.encode([str(text) for text in texts])

    def predict_proba(self, texts):
        """The probabilities of every category.

        Args:
            texts: iterable of n str.

        Returns:
            float32 array [n, num_classes]; columns as in `categories`, rows sum to 1.
        """
        return self.score(self.encode(texts).ids)

    def score(self, ids):
        """The probabilities of every category, for documents as `encode` returns them.

        Args:
            ids: int32 array [n, seq_length].

        Returns:
            float32 array [n, num_classes], see `predict_proba`.
        """
        return at_temperature(score(self.session, self.model, ids), self.temperature)
