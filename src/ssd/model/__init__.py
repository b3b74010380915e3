"""The network: tensors in, tensors out."""

from ssd.runtime import prepare_mindspore

prepare_mindspore()
