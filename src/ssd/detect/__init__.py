"""Detection on pictures and videos of one's own; a checkpoint carries all that it needs."""
