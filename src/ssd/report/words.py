"""Numbers and findings as one says them."""

from collections.abc import Sequence

from ssd.analysis.thresholds import Threshold
from ssd.report import lettering
from ssd.report.cases import Case
from ssd.report.committed import Earlier
from ssd.report.inputs import Data, Evaluation, Repair, Suggestion, Training
from ssd.report.matrix import Matrix

UNDEFINED = "–"

# The 12 COCO figures, in COCO's order, in four groups of three; then the two of VOC.
MEANINGS = (
    (
        "Average precision",
        "Area under the precision–recall curve, averaged over classes",
        (
            ("AP", "AP @[.50:.95]", "mean over the ten IoU thresholds .50, .55 … .95: COCO's main figure"),
            ("AP50", "AP @.50", "a box counts from half overlap on: is it found?"),
            ("AP75", "AP @.75", "a box must fit closely: is it well placed?"),
        ),
    ),
    (
        "Average precision by size",
        "AP @[.50:.95] of the objects of one size, in pixels of the photo",
        (
            ("APs", "small", "objects below 32² pixels"),
            ("APm", "medium", "objects from 32² to 96² pixels"),
            ("APl", "large", "objects above 96² pixels"),
        ),
    ),
    (
        "Average recall",
        "Share of the objects found, averaged over classes and IoU .50–.95",
        (
            ("AR1", "1 detection", "with only the surest detection of each image"),
            ("AR10", "10 detections", "with at most ten detections an image"),
            ("AR100", "100 detections", "with at most a hundred: what is found at all"),
        ),
    ),
    (
        "Average recall by size",
        "AR with at most 100 detections, of the objects of one size",
        (
            ("ARs", "small", "objects below 32² pixels"),
            ("ARm", "medium", "objects from 32² to 96² pixels"),
            ("ARl", "large", "objects above 96² pixels"),
        ),
    ),
    (
        "VOC's mean average precision",
        "AP at IoU .50 by PASCAL VOC's rules, averaged over classes",
        (
            ("VOC07", "11 points", "as in 2007: the mean of the precision at recalls 0, .1 … 1"),
            ("VOC10", "area", "as from 2010 on: the area under precision and recall"),
        ),
    ),
)

# TIDE's six kinds of errors, each with what it is.
ERRORS = (
    ("classification", "Wrong class", "lies on an object of another class (IoU ≥ .5)"),
    ("localisation", "Loose box", "overlaps an object of its class, but too little (IoU .1–.5)"),
    ("both", "Both", "overlaps an object of another class, and too little (IoU .1–.5)"),
    ("duplicate", "Duplicate", "lies on an object that a surer detection has found"),
    ("background", "Background", "lies where there is nothing (IoU < .1)"),
    ("missed", "Missed", "an object that is not found, and at which no wrong class or loose box lies"),
)

REASONS = (
    ("class", "Wrong class", "a detection of another class lies on it"),
    ("box", "Loose box", "a detection of its class overlaps it, but too little"),
    ("score", "Low score", "it is found, but below the least score"),
    ("nothing", "Nothing", "no detection finds it at any score"),
)

_REPAIRS = {
    "box_beyond_image": (
        "box reached beyond its image and was cut at the border",
        "boxes reached beyond their images and were cut at the border",
    ),
    "box_without_area": ("box had no area and was left out", "boxes had no area and were left out"),
    "unknown_category": (
        "annotation had a category that is not in the list, and was left out",
        "annotations had a category that is not in the list, and were left out",
    ),
    "unreadable_image": (
        "image could not be read and was left out",
        "images could not be read and were left out",
    ),
}


def short(name: str) -> str:
    """A class name that fits where there is little place."""
    return lettering.short(name)


def whole(number: int) -> str:
    """With commas between thousands."""
    return f"{number:,}"


def figure(number: float | None) -> str:
    """A figure between 0 and 1 as COCO prints it: three decimals."""
    return UNDEFINED if number is None else f"{number:.3f}"


def change(number: float | None) -> str:
    """By how much a figure rose or fell, with its sign."""
    return "" if number is None else "±0.000" if abs(number) < 0.0005 else f"{number:+.3f}".replace("-", "−")


def direction(number: float | None) -> str:
    """up, down or same, of a change; as `change` shows it."""
    return "same" if number is None or abs(number) < 0.0005 else "up" if number > 0 else "down"


def loss(number: float | None) -> str:
    """A loss, to three or four digits."""
    return UNDEFINED if number is None else f"{number:.3f}" if abs(number) < 100 else f"{number:,.0f}"


def rate(number: float | None) -> str:
    """A learning rate, as short as it is exact to three digits."""
    return UNDEFINED if number is None else f"{number:.3g}"


def percent(share: float | None) -> str:
    """A share in percent: one decimal, none where it is all or nothing, and never rounded up to all."""
    if share is None:
        return UNDEFINED
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def short_count(number: int) -> str:
    """A large count in thousands or millions."""
    if number < 10_000:
        return whole(number)
    return f"{number / 1e3:.0f} k" if number < 999_500 else f"{number / 1e6:.1f} M"


def count(number: int, one: str, many: str | None = None) -> str:
    """The number with its noun: 1 image, 2 images, no images."""
    noun = one if number == 1 else many or f"{one}s"
    return f"{whole(number) if number else 'no'} {noun}"


def verdict(evaluation: Evaluation) -> str:
    """What the figures were taken over."""
    images = count(evaluation.images, "validation image")
    if evaluation.figures["AP"] is None:
        return f"No figure over {images}: there is nothing in them to find."
    return f"over {images} with {count(evaluation.objects, 'object')}."


def run(training: Training, data: Data) -> str:
    """Which run the page is about."""
    return (
        f"{count(training.epochs, 'epoch')} ({count(training.steps, 'step')}) on "
        f"{count(data.train.images, 'image')} of {count(data.classes, 'class', 'classes')}, "
        f"to a loss of {loss(training.loss)}; a network of {whole(training.parameters)} parameters."
    )


def suggestion(suggested: Suggestion) -> str:
    """What other anchors would do."""
    sizes = ", ".join(map(str, suggested.sizes))
    return (
        f"With anchors.sizes of {sizes}, {percent(suggested.share)} of all training objects would be covered."
    )


def repaired(repair: Repair, split: str) -> str:
    """What was found doubtful in a split, and what became of it."""
    one, many = _REPAIRS.get(repair.kind, (repair.kind.replace("_", " "),) * 2)
    sentence = f"{split}: {whole(repair.count)} {one if repair.count == 1 else many}"
    if not repair.first:
        return f"{sentence}."
    begin = "first " if repair.count > len(repair.first) else ""
    return f"{sentence} ({begin}{'; '.join(repair.first)})."


def findings(data: Data) -> list[str]:
    """All repairs of both splits, one sentence each."""
    return [
        repaired(repair, name)
        for name, split in (("Training", data.train), ("Validation", data.val))
        for repair in split.repairs
        if repair.count
    ]


def balance(cases: Sequence[Case]) -> str:
    """What was found in all the images together."""
    right, objects = sum(case.right for case in cases), sum(case.objects for case in cases)
    false, faultless = sum(case.false for case in cases), sum(case.f1 == 1 for case in cases)
    recall = f" ({percent(right / objects)})" if objects else ""
    precision = f" ({percent(right / (right + false))} of the detections are right)" if right + false else ""
    return (
        f"Over {count(len(cases), 'image')}: found {whole(right)} of {count(objects, 'object')}{recall}, "
        f"with {count(false, 'false detection')}{precision}; {count(faultless, 'image')} without a fault."
    )


def compared(earlier: Earlier) -> str:
    """The run that this one is compared with, and its two main figures."""
    ap, ap50 = (figure(earlier.figures.get(name)) for name in ("AP", "AP50"))
    return f"Against {earlier.name}: AP {ap}, AP50 {ap50}."


def threshold(best: Threshold | None, min_score: float) -> str:
    """Which least score to take."""
    if best is None:
        return "Nothing is right at any score, so that none can be suggested."
    return (
        f"F1, the balance of both, is highest at a least score of {best.threshold:.2f}: F1 {figure(best.f1)}, "
        f"precision {figure(best.precision)}, recall {figure(best.recall)}. "
        f"This page shows and counts from {min_score:g} on (report.min_score)."
    )


def confused(matrix: Matrix) -> str:
    """How many objects were taken for another class, and which pairs of classes are shown."""
    shown = sum(pair.count for pair in matrix.pairs)
    rest = (
        ""
        if shown == matrix.confused
        else f"; the {len(matrix.pairs)} most frequent pairs are {whole(shown)} of them"
    )
    return f"{count(matrix.confused, 'object was', 'objects were')} taken for another class{rest}."


def blamed(case: Case) -> str:
    """The errors of an image by kind and reason: missed 1 wrong class; false 2 loose box."""
    names = {kind: name.lower() for kind, name, _ in (*ERRORS, *REASONS)}
    parts = []
    for of, kinds, order in (("missed", case.reasons, REASONS), ("false", case.kinds, ERRORS)):
        counts = [(kinds.count(kind), names[kind]) for kind, *_ in order if kind in kinds]
        if counts:
            parts.append(f"{of}: {', '.join(f'{number} {name}' for number, name in counts)}")
    return "; ".join(parts)


def told(case: Case) -> str:
    """What was found in an image: found 3 of 4, 1 false."""
    if not case.objects:
        return f"nothing to find, {count(case.false, 'false detection')}"
    return f"found {case.right} of {case.objects}, {case.false or 'none'} false"
