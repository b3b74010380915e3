"""A trained detector as a file for other programs, checked against the checkpoint that it was made of."""

from ssd.runtime import prepare_mindspore

prepare_mindspore()
