"""What runs inside a box: files that are copied into its root file system.  Standard library only, Python 3.11 to 3.13."""
