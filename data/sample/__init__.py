"""The bundled corpus: original sentences, and the script that composes articles of them."""
