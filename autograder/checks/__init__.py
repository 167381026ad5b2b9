"""One folder for each topic; a check looks at a machine and yields facts."""
