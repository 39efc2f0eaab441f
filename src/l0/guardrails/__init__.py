"""Rules on the text of an answer: each judges while it streams, at a cost of O(new text)."""
