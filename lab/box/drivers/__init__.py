"""What runs machines: one package per backend, behind the protocols in ``base.py``; ``registry.py`` knows which there are."""
