"""From labelled text to arrays. Imports NumPy only."""
