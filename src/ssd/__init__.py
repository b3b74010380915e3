"""SSD object detection on MindSpore."""
