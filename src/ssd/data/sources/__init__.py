"""Where data comes from: what the parameters name becomes data/raw, and data/raw one `Source`."""
