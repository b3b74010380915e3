"""What MindSpore's SSD tutorial does, written down from its description to be measured beside: nothing else uses it.

The rules are the tutorial's and so is the work a photo, a box or a candidate costs; the words are ours.
"""
