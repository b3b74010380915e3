"""What became of each detection and each object, and what that says; numpy and pycocotools, no MindSpore."""
