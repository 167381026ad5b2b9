"""What the course adds to JupyterLab: its settings, the box terminal, and web pages of a box under Jupyter's own address."""
