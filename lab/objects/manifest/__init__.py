"""How a manifest is read, whatever it describes.

A text becomes documents (``documents``, by the rules of ``go_yaml``).  Each is read field by field (``fields``), so that whatever is wrong
is named by its ``position``, and what is of Kubernetes (``known_fields``) is told from what is misspelt.
"""
