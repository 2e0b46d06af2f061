from __future__ import annotations

import torch

from attrformer.models.baselines.layers.grouping import groups_by_length


def test_rows_of_similar_length_share_a_group() -> None:
    lengths = torch.tensor([1, 200, 4, 5, 8, 9, 2, 16, 17])
    groups = [rows.tolist() for rows in groups_by_length(lengths)]
    assert groups == [[0, 2, 6], [3, 4], [5, 7], [8], [1]]


def test_every_row_is_in_one_group_and_pads_at_most_to_twice_its_length() -> None:
    lengths = torch.randint(1, 201, (300,))
    groups = groups_by_length(lengths)
    assert torch.equal(torch.cat(groups).sort().values, torch.arange(300))
    for rows in groups:
        assert int(lengths[rows].max()) < max(5, 2 * int(lengths[rows].min()))
