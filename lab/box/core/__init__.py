"""What all other parts of a box stand on: directories, records, processes, progress.  Nothing here knows what runs a machine."""
