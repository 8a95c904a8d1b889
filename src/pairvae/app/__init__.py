"""The web page and the scoring server (level 5): they answer requests with the results of the commands."""
