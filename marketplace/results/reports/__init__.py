"""What a requester reads about the quality of a batch: pure rules, values in and figures out."""
