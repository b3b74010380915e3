"""Where data and model meet: training, detection, evaluation."""

from ssd.runtime import prepare_mindspore

prepare_mindspore()
