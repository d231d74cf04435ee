"""Rows on their way from the user's array to a mini-batch."""

from ._columns import (
    Column,
    Library,
    Table,
    frame,
    frame_or_array,
    is_missing,
    library_of,
    selected_features,
    table_with_categories,
)
from ._dask import (
    DaskLoader,
    DaskRows,
    DaskSplit,
    as_array,
    floats,
    meta,
)
from ._loaders import (
    BLOCK_BYTES,
    AugmentingLoader,
    Block,
    InMemoryLoader,
    Loader,
    StreamingLoader,
    loader,
    shared_capacity,
)
from ._rows import (
    RESIDENT_BYTES,
    Batch,
    ConcatenatedRows,
    aligned_empty,
    cached_chunks,
    chunk_rows,
    chunks,
    dense,
    is_dask,
    reduce_rows,
    slices,
)
from ._scaling import Moments, Scaling, is_rounding, variances
from ._split import (
    FEWEST_GROUPS,
    HoldOut,
    Split,
    groups_of_copies,
    merged_groups,
    numbered,
)
