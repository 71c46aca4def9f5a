"""Face IDs. This file keeps the folder ahead of the PyPI package of the same name."""
