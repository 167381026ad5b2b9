"""What a learner takes home: notebooks, predictions, progress and, if they want, the running box, as one file."""
