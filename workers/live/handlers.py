"""What the live server does about what happened elsewhere: it tells workers to look."""
