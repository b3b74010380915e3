"""Why detections are wrong and objects are missed, as TIDE sorts it (Bolya et al. 2020, "TIDE: A General Toolbox for
Identifying Object Detection Errors", section 2), and what AP50 would be without each kind of error.

A detection that is wrong at IoU 0.5 has one of five kinds, the first that fits, in the order of TIDE's code:
localisation (an object of its class overlaps by 0.1 to 0.5), classification (an object of another class overlaps by
0.5), duplicate (an object of its class overlaps by 0.5, but was found by a surer detection), background (no object
overlaps by 0.1), both (an object of another class overlaps by 0.1 to 0.5). An object that is not found is missed unless
a localisation or classification error would find it.

Crowds and difficult objects, which TIDE leaves to COCO's rules, are no objects here: a detection that they excuse is
ignored before, any other is judged by the objects that count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ssd.analysis.judging import FALSE, IGNORED, MATCH_IOU, RIGHT, Judged

BACKGROUND_IOU = 0.1

Kind = Literal["classification", "localisation", "both", "duplicate", "background"]
Reason = Literal["class", "box", "score", "nothing"]

KINDS: tuple[Kind, ...] = get_args(Kind)
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Slips:
    """The false detections of an image, from the highest score down.

    Attributes:
        ranks: [F] their places among the image's detections.
        kinds: [F] places in KINDS.
        meant: [F] the object that each should have found; -1 where the kind names none.
    """

    ranks: np.ndarray
    kinds: np.ndarray
    meant: np.ndarray


def slips(image: Judged, min_score: float = 0.0) -> Slips:
    """The false detections of at least `min_score`, with the kind of each."""
    counting = np.flatnonzero(image.objects.counts)
    ranks = np.flatnonzero(image.verdicts[: image.shown(min_score)] == FALSE)
    if not len(counting):
        background = np.full(len(ranks), KINDS.index("background"))
        return Slips(ranks, background, np.full(len(ranks), -1))
    overlaps = image.overlaps[np.ix_(ranks, counting)]
    own = image.detections.categories[ranks][:, None] == image.objects.categories[counting]
    of_own, of_other = np.where(own, overlaps, 0.0), np.where(own, 0.0, overlaps)
    own_iou, other_iou = of_own.max(axis=1), of_other.max(axis=1)
    fits: dict[Kind, np.ndarray] = {
        "localisation": (own_iou >= BACKGROUND_IOU) & (own_iou < MATCH_IOU),
        "classification": other_iou >= MATCH_IOU,
        "duplicate": own_iou >= MATCH_IOU,
        "background": other_iou < BACKGROUND_IOU,
    }
    kinds = np.select(list(fits.values()), [KINDS.index(kind) for kind in fits], KINDS.index("both"))
    meant = np.select(
        [kinds == KINDS.index("localisation"), kinds == KINDS.index("classification")],
        [counting[of_own.argmax(axis=1)], counting[of_other.argmax(axis=1)]],
        -1,
    )
    return Slips(ranks, kinds, meant)


def reasons(image: Judged, min_score: float) -> list[Reason | None]:
    """For each object why it was not found from `min_score` on; None where it was, or need not be.

    class: a false detection of another class lies on it; box: one of its class lies beside it; score: it is found
    below `min_score`; nothing: not even that. The first that fits.
    """
    found, later = image.found(min_score), image.found(0.0)
    wrong = slips(image, min_score)
    meant = {
        kind: set(wrong.meant[wrong.kinds == KINDS.index(kind)].tolist())
        for kind in ("classification", "localisation")
    }

    def reason(place: int) -> Reason | None:
        if found[place] or not image.objects.counts[place]:
            return None
        if place in meant["classification"]:
            return "class"
        if place in meant["localisation"]:
            return "box"
        return "score" if later[place] else "nothing"

    return [reason(place) for place in range(len(found))]


@dataclass(frozen=True)
class Gain:
    """AP50 over all detections, and by how much it would rise were one kind of error mended, by kind.

    Besides the kinds of false detections, `mended` has missed, and TIDE's two sums: false (all false detections gone)
    and unfound (no object left that is not found).
    """

    ap50: float | None
    mended: dict[str, float]


def gains(images: Sequence[Judged], categories: Iterable[int]) -> Gain:
    """What mending each kind of error alone would bring (TIDE's dAP at IoU 0.5).

    A localisation or classification error is mended by making the detection right; where several could find the same
    object the surest does, and the others, and those whose object is found already, go. Duplicate, background and both
    are mended by taking the detection away, missed by taking the object away.
    """
    rows = _rows(images)
    of_all = np.concatenate([image.objects.categories[image.objects.counts] for image in images] or [_NONE])
    unfound = np.concatenate(
        [image.objects.categories[image.objects.counts & ~image.found(0.0)] for image in images] or [_NONE]
    )
    missed = np.concatenate([image.objects.categories[_missed(image)] for image in images] or [_NONE])
    objects = {category: int(np.count_nonzero(of_all == category)) for category in categories}
    objects = {category: count for category, count in objects.items() if count}
    if not objects:
        return Gain(None, {})
    base = _mean_ap(rows, objects)
    mended: dict[str, float] = {kind: _mean_ap(rows.mended(KINDS.index(kind)), objects) for kind in KINDS}
    mended["missed"] = _mean_ap(rows, _less(objects, missed))
    mended["false"] = _mean_ap(rows.where(rows.right), objects)
    mended["unfound"] = _mean_ap(rows, _less(objects, unfound))
    return Gain(base, {kind: ap - base for kind, ap in mended.items()})


_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Rows:
    """Detections of all images, ignored ones apart.

    Attributes:
        categories, scores, right: [D] as they are.
        kinds: [D] the place in KINDS; -1 where right.
        becomes: [D] the class of the object that it would find if its error were mended; -1 where it would go.
    """

    categories: np.ndarray
    scores: np.ndarray
    right: np.ndarray
    kinds: np.ndarray
    becomes: np.ndarray

    def where(self, kept: np.ndarray) -> "_Rows":
        return _Rows(
            self.categories[kept], self.scores[kept], self.right[kept], self.kinds[kept], self.becomes[kept]
        )

    def mended(self, kind: int) -> "_Rows":
        """The detections without this kind of error."""
        wrong = self.kinds == kind
        found = wrong & (self.becomes >= 0)
        categories = np.where(found, self.becomes, self.categories)
        return _Rows(categories, self.scores, self.right | found, self.kinds, self.becomes).where(
            ~wrong | found
        )


def _rows(images: Sequence[Judged]) -> _Rows:
    parts = [_rows_of(image) for image in images]
    empty = _Rows(_NONE, np.zeros(0), np.zeros(0, dtype=bool), _NONE, _NONE)
    columns = zip(
        *((r.categories, r.scores, r.right, r.kinds, r.becomes) for r in (empty, *parts)), strict=True
    )
    return _Rows(*(np.concatenate(column) for column in columns))


def _rows_of(image: Judged) -> _Rows:
    """The detections of one image; of several that could find one object by the same kind only the surest becomes."""
    wrong, found = slips(image), image.found(0.0)
    kinds, becomes = np.full(len(image.verdicts), -1), np.full(len(image.verdicts), -1)
    kinds[wrong.ranks] = wrong.kinds
    seen: set[tuple[int, int]] = set()
    for rank, kind, meant in zip(
        wrong.ranks.tolist(), wrong.kinds.tolist(), wrong.meant.tolist(), strict=True
    ):
        if meant >= 0 and not found[meant] and (kind, meant) not in seen:
            seen.add((kind, meant))
            becomes[rank] = image.objects.categories[meant]
    detections = image.detections
    rows = _Rows(detections.categories, detections.scores, image.verdicts == RIGHT, kinds, becomes)
    return rows.where(image.verdicts != IGNORED)


def _missed(image: Judged) -> np.ndarray:
    """[G] whether an object is missed by TIDE's rule: not found, and no error that would find it when mended."""
    missed = image.objects.counts & ~image.found(0.0)
    meant = slips(image).meant
    missed[meant[meant >= 0]] = False
    return missed


def _less(objects: dict[int, int], gone: np.ndarray) -> dict[int, int]:
    return {category: count - int(np.count_nonzero(gone == category)) for category, count in objects.items()}


def _mean_ap(rows: _Rows, objects: dict[int, int]) -> float:
    """AP50 averaged over the classes; 0 for a class of which no object is left."""
    found = []
    for category, count in objects.items():
        of_class = rows.categories == category
        found.append(average_precision(rows.scores[of_class], rows.right[of_class], count) if count else 0.0)
    return float(np.mean(found))


def average_precision(scores: np.ndarray, right: np.ndarray, objects: int) -> float:
    """COCO's AP of one class at one IoU: the mean of the precision at recalls 0, .01 … 1.

    The precision at a recall is the highest at that recall or beyond, 0 where that recall is not reached.

    Args:
        scores: [D] of all detections of the class that are not ignored.
        right: [D] whether each found an object.
        objects: how many there are to find, at least 1.
    """
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    recall = hits / objects
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())
