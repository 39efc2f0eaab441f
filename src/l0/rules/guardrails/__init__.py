"""Rules on the text of an answer. Each rule checks the text while it streams and costs O(new text)."""
