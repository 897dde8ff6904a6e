"""An id set is a set that takes eight bytes per id."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from msm4sr_lite.dataset.convert.write import IdSet

NAMES = ["", *(a + b for a in "abcdefghij" for b in "abcdefghij")]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=20), max_size=12))
def test_an_id_set_is_a_set(batches):
    compact, plain = IdSet(), set()
    for batch in batches:
        expected = []
        for name in batch:
            expected.append(name not in plain)
            plain.add(name)
        assert compact.add(batch).tolist() == expected
        assert len(compact) == len(plain)


def test_an_id_set_takes_eight_bytes_an_id():
    ids = IdSet()
    for start in range(0, 50_000, 1000):
        assert ids.add([str(n) for n in range(start, start + 1000)]).all()
    assert sum(run.nbytes for run in ids._runs) == 50_000 * 8
    assert len(ids._runs) < 8
    assert not np.any(ids.add([str(n) for n in range(50_000)]))
