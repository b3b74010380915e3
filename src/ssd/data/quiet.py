"""MindSpore without its chatter."""

import os
import re


def quiet_mindspore() -> None:
    """Have MindSpore log errors only, unless the environment says otherwise; to be called before its import."""
    os.environ.setdefault("GLOG_v", "3")


def gist(error: RuntimeError) -> str:
    """The one line that says something, of a message in which MindSpore's C++ wraps it in a dozen others."""
    text = str(error).strip()
    said = re.search(r"\[ERROR\] *(.+)", text)
    return said[1].strip() if said else text.partition("\n")[0]
