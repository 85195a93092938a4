"""Work by kind of job and sub-center, against sums by hand."""

import numpy as np

from twin.job_placement import JobPlacement
from twin.job_work import KINDS, JobWork, kind_numbers


def test_work_adds_up_by_kind_and_sub_center():
    # Two modules in sub-center 0, one in 1; job 0 trains on both, job 1 is batch in sub-center 1, one card is idle.
    job_of_card = np.array([0, 0, 0, -1, 0, 1])
    placement = JobPlacement.of(job_of_card, np.array([0, 2, 4, 6]), 2)
    work = JobWork(placement, np.array([0.9, 0.5]), np.array([0.45, 0.5]))
    asked, done = work.by_kind(kind_numbers(["training", "batch"]), np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(asked[KINDS.index("training")], [2.7, 0.9])
    np.testing.assert_allclose(done[KINDS.index("training")], [1.35, 0.45])
    np.testing.assert_allclose(asked[KINDS.index("batch")], [0.0, 0.5])
    np.testing.assert_allclose(asked[KINDS.index("inference")], 0.0)
    assert done.sum() <= asked.sum()
