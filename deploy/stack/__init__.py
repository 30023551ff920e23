"""The stack behind ./run: virtual environment, embedded servers, supervision. Standard library only."""
