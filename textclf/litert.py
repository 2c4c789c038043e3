"""LiteRT (.tflite) files, for phones and small computers: ids to probabilities.

A file has the signature `serving_default`, from `ids`, int32 [1, seq_length], padded on the left,
to `probabilities`, float32 [1, num_classes]; `ids` can be resized to [n, seq_length]. int8 means
that weights are stored in 8 bits and sums are taken in 32 (dynamic-range quantisation): measured,
it loses less than activations in 8 bits do, and needs no sample of the data.
"""

import sys
import warnings

from data import lazy_numpy as np
from data.errors import ConfigError
from textclf import plain
from textclf import tensorflow_v1 as tf
from textclf.exported import LITERT, ExportedModel, ExportError


def write(folder, model):
    """Writes the files of LITERT.

    Args:
        folder: Path of the export.
        model: Content.

    Raises:
        ExportError: the model cannot be converted.
    """
    import tensorflow  # the v1 API cannot convert functions

    # [1, ...] would do for devices; the first axis is left open for those that classify many.
    spec = tensorflow.TensorSpec([None, model.config.seq_length], tensorflow.int32, name="ids")
    module = tensorflow.Module()
    module.weights = {
        name: tensorflow.Variable(value, trainable=False) for name, value in model.weights.items()
    }

    @tensorflow.function(input_signature=[spec], autograph=False)
    def classify(ids):
        logits = plain.logits(model.name, ids, module.weights, model.config)
        return {"probabilities": tf.nn.softmax(logits / np.float32(model.temperature))}

    concrete = classify.get_concrete_function()
    for precision, name in LITERT.items():
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([concrete], module)
        if precision == "int8":
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own class has no public name
            raise ExportError(
                f"{name}: this model cannot be converted ({str(error).splitlines()[0]}); its run "
                "directory and predict.py are what is left"
            ) from error
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


class LiteRTModel(ExportedModel):
    """A trained model, computed by LiteRT; otherwise as ExportedModel."""

    engine = "LiteRT"

    def __init__(self, folder, precision="float32"):
        """
        Args:
            folder: str or Path of an export.
            precision: "float32" or "int8".

        Raises:
            ExportError: see ExportedModel.
            ConfigError: LiteRT is not installed.
        """
        self._files = (*ExportedModel._files, LITERT[precision])
        super().__init__(folder)
        with tf.quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's own one will be gone one day
            interpreter = _load_interpreter()(model_path=f"{folder}/{LITERT[precision]}")
            interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner("serving_default")

    def score(self, ids):
        rows = [self._run(ids=ids[at : at + 1])["probabilities"] for at in range(len(ids))]
        return np.concatenate([np.empty((0, len(self.categories)), np.float32), *rows])


def _load_interpreter():
    """The class Interpreter of LiteRT, or the one in TensorFlow if that is loaded anyway."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        if "tensorflow" not in sys.modules:
            raise ConfigError(
                "LiteRT: needs the package ai-edge-litert; "
                "install it with: python -m pip install -r requirements-litert.txt"
            ) from None
        import tensorflow

        return tensorflow.lite.Interpreter
    return Interpreter
