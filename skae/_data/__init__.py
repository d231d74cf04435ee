"""Rows on their way from the user's array to a batch."""

from ._augmentation import FeatureSwaps
from ._batch import Batch
from ._chunks import aligned_empty, cached_chunks, chunk_rows, chunks, dense, slices
from ._dependence import groups_of_copies, merged_groups, numbered
from ._feed import BLOCK_BYTES, Block, Feed, Resident, Streamed, feed, shared_capacity
from ._held_out import HeldOut
from ._scaling import Scaling, is_rounding, on_grid, variances
from ._split import Split
from ._stacked import Stacked

__all__ = [
    "BLOCK_BYTES",
    "Batch",
    "Block",
    "FeatureSwaps",
    "Feed",
    "HeldOut",
    "Resident",
    "Scaling",
    "Split",
    "Stacked",
    "Streamed",
    "aligned_empty",
    "cached_chunks",
    "chunk_rows",
    "chunks",
    "dense",
    "feed",
    "groups_of_copies",
    "is_rounding",
    "merged_groups",
    "numbered",
    "on_grid",
    "shared_capacity",
    "slices",
    "variances",
]
