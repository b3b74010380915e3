"""One page of pictures and numbers, from what the other stages wrote; nothing here needs MindSpore."""
