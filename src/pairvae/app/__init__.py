"""The web page and the scoring server (level 5): requests in, what the stages say out."""
