"""MindSpore without its chatter."""

import os


def quiet_mindspore() -> None:
    """Have MindSpore log errors only, unless the environment says otherwise; to be called before its import."""
    os.environ.setdefault("GLOG_v", "3")
