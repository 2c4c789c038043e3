"""What the CNN and the RNN share: configuration, layers, training, evaluation, prediction."""
