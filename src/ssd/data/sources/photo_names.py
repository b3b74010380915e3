"""The names that annotation files give photos, as paths below the folder of photos.

Label Studio writes images\\a.jpg on Windows, and where photos were not exported with the labels, the whole path or
address that they had on its server. Slashes, a drive and a leading slash are put right here; what else stands before
the name of every photo alike is left out where the photos are looked for (see `local`).
"""

import re


def photo_name(file_name: str) -> str:
    """`file_name` with forward slashes and from no root: C:\\data\\a.jpg → data/a.jpg; any ordinary name as it is."""
    return re.sub(r"^([A-Za-z]:)?/+", "", file_name.replace("\\", "/")) or file_name
