"""Rows on their way from the user's array to a batch."""

from ._augmentation import FeatureSwaps
from ._batch import Batch
from ._chunks import aligned_empty, cached_chunks, chunk_rows, chunks, dense, slices
from ._collection import (
    Collection,
    as_array,
    few_or_collection,
    floats,
    header,
    is_collection,
    reduced,
)
from ._dependence import groups_of_copies, merged_groups, numbered
from ._feed import (
    BLOCK_BYTES,
    Block,
    Feed,
    Resident,
    Streamed,
    feed,
    shared_capacity,
)
from ._held_out import HeldOut
from ._moments import Moments
from ._parted import Parted
from ._scaling import Scaling, is_rounding, on_grid, variances
from ._split import Split
from ._stacked import Stacked
from ._windows import Windows

__all__ = [
    "BLOCK_BYTES",
    "Batch",
    "Block",
    "Collection",
    "FeatureSwaps",
    "Feed",
    "HeldOut",
    "Moments",
    "Parted",
    "Resident",
    "Scaling",
    "Split",
    "Stacked",
    "Streamed",
    "Windows",
    "aligned_empty",
    "as_array",
    "cached_chunks",
    "chunk_rows",
    "chunks",
    "dense",
    "feed",
    "few_or_collection",
    "floats",
    "groups_of_copies",
    "header",
    "is_collection",
    "is_rounding",
    "merged_groups",
    "numbered",
    "on_grid",
    "reduced",
    "shared_capacity",
    "slices",
    "variances",
]
