"""One module per topic; a check looks at a machine and yields facts."""
