"""Options: a dataclass field with its default, help and bounds is the one source of each.

From such a field come the command-line flag, its help text, the check and the saved JSON. The
defaults are class attributes too, so `TCNNConfig.seq_length` reads as it always did.
"""

import argparse
import dataclasses
import math


class ConfigError(ValueError):
    """An option with a value it cannot have; the message names option, value and remedy."""


def option(default, help, *, group, minimum=None, above=None, maximum=None, choices=None):
    """Declares one option of a dataclass; its type is that of the annotation.

    Args:
        default: the value when nothing is said.
        help: str, what it is, with its unit.
        group: str, the heading it stands under in `--help`.
        minimum, above, maximum: bounds; `above` is a bound that is itself excluded.
        choices: tuple of str, the only values allowed.
    """
    metadata = {
        "help": help,
        "group": group,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "choices": choices,
    }
    return dataclasses.field(default=default, metadata=metadata)


def flag_name(field):
    """The command-line flag of a field: `num_epochs` is `--num-epochs`."""
    return "--" + field.name.replace("_", "-")


def describe_bounds(field):
    """The values a field allows, in words; empty if all of its type are allowed."""
    metadata = field.metadata
    if metadata["choices"]:
        return "one of " + ", ".join(metadata["choices"])
    words = {"minimum": "at least", "above": "above", "maximum": "at most"}
    return " and ".join(
        f"{phrase} {metadata[key]}" for key, phrase in words.items() if metadata[key] is not None
    )


def describe_expected(field):
    """The kind and range of value a field wants, in words."""
    kind = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
    bounds = describe_bounds(field)
    if field.metadata["choices"]:
        return bounds
    return f"{kind[field.type]}, {bounds}" if bounds else kind[field.type]


def check_value(field, value):
    """Returns `value`, or raises ConfigError if the field does not allow it."""
    metadata = field.metadata
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    right_type = {
        int: numeric and (isinstance(value, int) or value.is_integer()),
        float: numeric and math.isfinite(value),
        bool: isinstance(value, bool),
        str: isinstance(value, str) or value is None,
    }[field.type]
    allowed = right_type and (
        (metadata["minimum"] is None or value >= metadata["minimum"])
        and (metadata["above"] is None or value > metadata["above"])
        and (metadata["maximum"] is None or value <= metadata["maximum"])
        and (metadata["choices"] is None or value in metadata["choices"])
    )
    if not allowed:
        raise ConfigError(f"{field.name} {value!r}: expected {describe_expected(field)}")
    return value


class Options:
    """Base of the dataclasses made of `option` fields."""

    def check(self):
        """Raises ConfigError at the first field whose value is not allowed."""
        for field in dataclasses.fields(self):
            check_value(field, getattr(self, field.name))

    def to_dict(self):
        """dict from field name to value, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The inverse of `to_dict`; checks every value.

        Raises:
            ConfigError: an unknown or a missing key, or a value that is not allowed.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for problem, names in (("unknown", set(values) - known), ("missing", known - set(values))):
            if names:
                raise ConfigError(f"{problem} option {', '.join(sorted(names))} for {cls.__name__}")
        options = cls(**values)
        options.check()
        return options

    @classmethod
    def add_flags(cls, groups):
        """Adds a flag for every field to the argparse group it belongs to.

        A flag that is not given is absent from the parsed namespace, so that a caller can tell
        a default from a choice.

        Args:
            groups: dict from heading to argparse group.
        """
        for field in dataclasses.fields(cls):
            group = groups[field.metadata["group"]]
            group.add_argument(flag_name(field), **_flag_arguments(field))

    @classmethod
    def from_flags(cls, namespace):
        """Builds the options from a parsed namespace; flags not given keep their defaults."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(namespace, name) for name in names if hasattr(namespace, name)})


def _flag_arguments(field):
    choices = field.metadata["choices"]
    bounds = "" if choices else describe_bounds(field)  # the flag itself shows the choices
    default = "" if field.default is None else f"default {field.default}"
    notes = "; ".join(filter(None, (bounds, default)))
    help_text = field.metadata["help"] + (f" ({notes})" if notes else "")
    arguments = {"help": help_text.replace("%", "%%"), "default": argparse.SUPPRESS}
    if field.type is bool:
        # A switch that is on by default needs a --no- form; one that is off does not.
        return arguments | {
            "action": argparse.BooleanOptionalAction if field.default else "store_true"
        }

    def parse(text):
        try:
            return check_value(field, field.type(text))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected {describe_expected(field)}"
            ) from None

    metavar = "|".join(choices) if choices else field.name.split("_")[-1].upper()
    return arguments | {"type": parse, "metavar": metavar}


@dataclasses.dataclass
class ClassifierConfig(Options):
    """What every model shares; a model adds its own fields and may change defaults."""

    embedding_dim: int = option(64, "size of a character's vector", group="model", minimum=1)
    seq_length: int = option(
        600,
        "characters of a document that are read, its last ones; shorter ones are padded",
        group="model",
        minimum=1,
    )
    num_classes: int = option(
        10,
        "number of categories; follows the training data, which a value given here must match",
        group="model",
        minimum=2,
    )
    vocab_size: int = option(
        5000,
        "words in the vocabulary at most, padding included; the rarer ones are left out",
        group="model",
        minimum=2,
    )
    hidden_dim: int = option(128, "units of the dense layer", group="model", minimum=1)
    dropout_keep_prob: float = option(
        0.5,
        "probability of KEEPING a unit while training",
        group="training",
        above=0.0,
        maximum=1.0,
    )
    learning_rate: float = option(1e-3, "step size of Adam", group="training", above=0.0)
    batch_size: int = option(64, "documents in a training step", group="training", minimum=1)
    num_epochs: int = option(10, "passes over the training data", group="training", minimum=1)
    require_improvement: int = option(
        1000,
        "training stops early after this many steps without a better validation accuracy",
        group="training",
        minimum=1,
    )
    print_per_batch: int = option(
        100, "steps between two evaluations, each printed as a line", group="output", minimum=1
    )
    save_per_batch: int = option(
        10, "steps between two points of TensorBoard's training curve", group="output", minimum=1
    )
