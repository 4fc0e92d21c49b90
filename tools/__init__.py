"""What the make targets run: the embedded AWS, the local API, the demo."""
