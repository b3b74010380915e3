"""Which ground truth each anchor answers for, by the rule of SSD's Caffe code (`MatchBBox`, PER_PREDICTION).

First every ground truth gets an anchor of its own: the pair with the highest IoU of all is made, both are
taken out, then the next. Of equal pairs the lowest anchor goes first, then the lowest ground truth. After
that, each anchor left whose best IoU reaches the threshold answers for that ground truth, of equal ones the
first.

What holds: no ground truth takes another's own anchor. A pair that does not overlap is never made, so a
ground truth without area gets no anchor. One that overlaps at least G anchors, where G is the number of
ground truths of the image, always gets its own.

Two ways lead there: through all IoUs of an image (`match`, `match_overlaps`), and through those few that can matter
(`Matcher`, for the same anchors over and over), whose cost hardly depends on the number of anchors.

Departure: Caffe calls an IoU below 1e-6 no overlap; here every IoU above 0 counts.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from ssd.geometry.anchor_grids import COMPLETE_FROM, find_grids, overlapping
from ssd.geometry.boxes import iou


class Matcher:
    """`match` for the objects of many images on the same anchors: the same result, without the IoUs of all pairs.

    Args:
        anchors: [A, 4] yxyx.
        threshold: an anchor is positive from this IoU on; above 0.
    """

    def __init__(self, anchors: np.ndarray, threshold: float) -> None:
        self.anchors = anchors
        self.threshold = threshold
        self.grids = find_grids(anchors)

    def __call__(self, gt_boxes: np.ndarray, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The anchors that answer for a ground truth, and for which: [P] each, index into `gt_boxes`.

        Anchors are numbered through all images, image after image, and come in ascending order. The images are taken
        together because the time is that of NumPy's calls, not of what they work on.

        Args:
            gt_boxes: [N, 4] yxyx, image after image.
            counts: how many of them are each image's; each may be 0.
        """
        found = overlapping(self.grids, gt_boxes, self.threshold) if self.grids and len(gt_boxes) else None
        if found is None:
            return self._one_by_one(gt_boxes, counts)
        at_least, gts, anchors, ious = found
        if len(counts) > 1:
            anchors = anchors + (np.arange(len(counts)) * len(self.anchors)).repeat(counts).take(gts)
        # of claims to one anchor the last stands: the highest IoU, of equal ones the first ground truth
        (above,) = np.nonzero((ious >= self.threshold)[::-1])
        above = len(ious) - 1 - above
        above = above.take(ious.take(above).argsort(kind="stable"))
        begins = gts.searchsorted(np.arange(len(gt_boxes)))
        best = np.maximum.reduceat(ious, begins)
        nearest = np.where(ious == best.take(gts), anchors, len(counts) * len(self.anchors))
        own = np.minimum.reduceat(nearest, begins)
        claims = [(anchors.take(above), gts.take(above)), (own, np.arange(len(own)))]
        if len(set(own.tolist())) < len(own):
            owner = self._settled(gt_boxes, own, best, begins, (at_least, anchors, ious))
            claims.append((np.array(list(owner)), np.array(list(owner.values()))))
        answered = np.empty(len(counts) * len(self.anchors), np.int64)
        positive = np.zeros(len(answered), bool)
        for places, claimants in claims:
            positive[places] = True
            answered[places] = claimants
        (places,) = np.nonzero(positive)
        return places, answered.take(places)

    def _one_by_one(self, gt_boxes: np.ndarray, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """As a call, of images of which not all can be looked at in their grids."""
        places, answered = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        begin = 0
        for image, count in enumerate(counts):
            alone = gt_boxes[begin : begin + count]
            if count and len(counts) > 1:
                of_image, gts = self(alone, [count])
            else:
                matched = match(alone, self.anchors, self.threshold)
                (of_image,) = np.nonzero(matched >= 0)
                gts = matched[of_image]
            places.append(of_image + image * len(self.anchors))
            answered.append(gts + begin)
            begin += count
        return np.concatenate(places), np.concatenate(answered)

    def _settled(
        self,
        gt_boxes: np.ndarray,
        own: np.ndarray,
        best: np.ndarray,
        begins: np.ndarray,
        overlaps: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> dict[int, int]:
        """An anchor for each ground truth of the images where some share their best one: {anchor: ground truth}.

        Anchors are numbered through all images.

        Args:
            gt_boxes: [N, 4] yxyx.
            own: [N] the best anchor of each.
            best: [N] the IoU with it.
            begins: [N] where the overlaps of each begin.
            overlaps: from which IoU on they are known [N]; anchors and IoUs [P].
        """
        at_least, anchors, ious = overlaps
        ends = [*begins[1:].tolist(), len(ious)]
        owner: dict[int, int] = {}

        def best_free(gt: int, taken: int) -> tuple[float, int, int]:
            """-IoU, anchor and ground truth, of the best anchor that is free."""
            of_gt = slice(int(begins[gt]), ends[gt])
            known = ious[of_gt] >= at_least[gt] * COMPLETE_FROM
            pairs = zip((-ious[of_gt][known]).tolist(), anchors[of_gt][known].tolist(), strict=True)
            free = [pair for pair in pairs if pair[1] not in owner]
            if free:
                return (*min(free), gt)
            before = taken - taken % len(self.anchors)
            row = iou(gt_boxes[gt : gt + 1], self.anchors)[0]
            row[[each - before for each in owner if 0 <= each - before < len(row)]] = 0
            anchor = int(row.argmax())
            return float(-row[anchor]), anchor + before, gt

        image, ascending = own // len(self.anchors), np.sort(own)
        shared = ascending[1:][ascending[1:] == ascending[:-1]]
        (contending,) = np.nonzero(np.isin(image, shared // len(self.anchors)))
        queue = list(
            zip((-best[contending]).tolist(), own[contending].tolist(), contending.tolist(), strict=True)
        )
        heapq.heapify(queue)
        while queue and queue[0][0] < 0:
            _, anchor, gt = heapq.heappop(queue)
            if anchor in owner:
                heapq.heappush(queue, best_free(gt, anchor))
            else:
                owner[anchor] = gt
        return owner


def match(gt_boxes: np.ndarray, anchors: np.ndarray, threshold: float) -> np.ndarray:
    """For each anchor the ground truth it answers for, or -1: it is a negative.

    Args:
        gt_boxes: [G, 4] yxyx; G may be 0.
        anchors: [A, 4] yxyx, in the same unit.
        threshold: an anchor is positive from this IoU on; above 0.

    Returns:
        [A] int32, index into `gt_boxes` or -1.
    """
    return match_overlaps(iou(gt_boxes, anchors), threshold)


def match_overlaps(overlaps: np.ndarray, threshold: float) -> np.ndarray:
    """`match` for IoUs that are known already.

    Args:
        overlaps: [G, A], the IoU of each ground truth with each anchor; not changed.
        threshold: as for `match`.

    Returns:
        [A] int32, index of the ground truth or -1.
    """
    matched = np.full(overlaps.shape[1], -1, np.int32)
    if not len(overlaps):
        return matched
    (above,) = np.nonzero((overlaps >= threshold).any(axis=0))
    matched[above] = overlaps[:, above].argmax(axis=0)
    for anchor, gt in _own_anchors(overlaps).items():
        matched[anchor] = gt
    return matched


def _own_anchors(overlaps: np.ndarray) -> dict[int, int]:
    """One anchor for each ground truth, where there is one it overlaps: {anchor: ground truth}."""
    owner: dict[int, int] = {}
    best = overlaps.argmax(axis=1)
    queue = [(-overlaps[gt, anchor], anchor, gt) for gt, anchor in enumerate(best.tolist())]
    heapq.heapify(queue)
    while queue and queue[0][0] < 0:
        _, anchor, gt = heapq.heappop(queue)
        if anchor not in owner:
            owner[anchor] = gt
            continue
        free = overlaps[gt].copy()
        free[list(owner)] = 0
        anchor = int(free.argmax())
        heapq.heappush(queue, (-free[anchor], anchor, gt))
    return owner
