"""What a lesson shows beside its text: the live picture, predictions, meters, and requests on their way."""
