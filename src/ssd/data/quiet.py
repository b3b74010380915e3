"""What MindSpore complains of, without its chatter."""

import re


def gist(error: RuntimeError) -> str:
    """The one line that says something, of a message in which MindSpore's C++ wraps it in a dozen others."""
    text = str(error).strip()
    said = re.search(r"\[ERROR\] *(.+)", text)
    return said[1].strip() if said else text.partition("\n")[0]
