"""A session as BinderHub gives it: built by repo2docker, run under mybinder.org's limits, used in a browser.  ``make test-binder``."""
