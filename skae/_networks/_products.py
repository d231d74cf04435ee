"""Keras' convolutions, computed as matrix products.

On a CPU, XLA compiles a convolution inside a loop to code that is more than ten times
slower (https://github.com/jax-ml/jax/issues/12868). A whole epoch is a loop here. So
the image is folded into blocks as large as the stride. A convolution is then one matrix
product over windows of neighbouring blocks.
"""

from __future__ import annotations

import math

from .. import _keras as keras

ops = keras.ops


class ProductConv2D(keras.layers.Conv2D):
    """``keras.layers.Conv2D`` with padding "same": equal weights, equal results."""

    def convolution_op(self, inputs, kernel):
        """Return the windows of the images times the kernel."""
        steps, reach = self.strides, _per_block(self.kernel_size, self.strides)
        rows, columns = _per_block(inputs.shape[1:3], steps)
        # The last windows reach into this many blocks.
        blocks = rows + reach[0] - 1, columns + reach[1] - 1
        before = [
            max((cells - 1) * step + window - size, 0) // 2
            for size, cells, window, step in zip(
                inputs.shape[1:3], (rows, columns), self.kernel_size, steps, strict=True
            )
        ]
        folded = _fold(_padded(inputs, blocks, steps, before), blocks, steps)
        windows = [
            folded[:, down : down + rows, right : right + columns]
            for down in range(reach[0])
            for right in range(reach[1])
        ]
        # One product over whole windows is faster than a sum of many products.
        return ops.matmul(
            ops.concatenate(windows, axis=-1), _as_matrix(kernel, reach, steps)
        )


class ProductConv2DTranspose(keras.layers.Conv2DTranspose):
    """``keras.layers.Conv2DTranspose`` with padding "same", likewise."""

    def call(self, inputs):
        """Return the sum, at every pixel, of the windows that cover it."""
        steps, reach = self.strides, _per_block(self.kernel_size, self.strides)
        rows, columns = inputs.shape[1:3]
        # In a transposed kernel the outputs come before the inputs.
        matrix = _as_matrix(self.kernel, reach, steps)
        windows = ops.matmul(inputs, ops.transpose(matrix))
        covered = 0.0
        for number, part in enumerate(ops.split(windows, math.prod(reach), axis=-1)):
            down, right = divmod(number, reach[1])
            up, left = reach[0] - 1 - down, reach[1] - 1 - right
            covered = covered + ops.pad(
                part, [(0, 0), (down, up), (right, left), (0, 0)]
            )
        blocks = rows + reach[0] - 1, columns + reach[1] - 1
        top, edge = (
            (window - step) // 2
            for window, step in zip(self.kernel_size, steps, strict=True)
        )
        images = _unfold(covered, blocks, steps)
        images = images[
            :, top : top + rows * steps[0], edge : edge + columns * steps[1]
        ]
        if self.use_bias:
            images = images + self.bias
        return self.activation(images)


def _per_block(sizes, steps) -> tuple[int, ...]:
    """Return how many blocks, as large as the stride, cover windows or images."""
    return tuple(math.ceil(n / step) for n, step in zip(sizes, steps, strict=True))


def _padded(images, blocks, steps, before):
    """Return images with zeros around them, as large as so many blocks."""
    height, width = blocks[0] * steps[0], blocks[1] * steps[1]
    after = [
        max(size - margin - side, 0)
        for size, margin, side in zip(
            (height, width), before, images.shape[1:3], strict=True
        )
    ]
    around = [(0, 0), *zip(before, after, strict=True), (0, 0)]
    return ops.pad(images, around)[:, :height, :width]


def _fold(images, blocks, steps):
    """Return images as blocks. The pixels of a block become its channels."""
    split = (-1, blocks[0], steps[0], blocks[1], steps[1], images.shape[-1])
    folded = ops.transpose(ops.reshape(images, split), (0, 1, 3, 2, 4, 5))
    return ops.reshape(folded, (-1, *blocks, math.prod(steps) * split[5]))


def _unfold(folded, blocks, steps):
    channels = folded.shape[-1] // math.prod(steps)
    images = ops.reshape(folded, (-1, *blocks, *steps, channels))
    images = ops.transpose(images, (0, 1, 3, 2, 4, 5))
    return ops.reshape(
        images, (-1, blocks[0] * steps[0], blocks[1] * steps[1], channels)
    )


def _as_matrix(kernel, reach, steps):
    """Return a kernel of shape (height, width, a, b) as a matrix, window by ``b``.

    The rows are ordered by the blocks of a window, then by the pixels of a block.
    """
    height, width, inner, outer = kernel.shape
    below, beside = reach[0] * steps[0] - height, reach[1] * steps[1] - width
    kernel = ops.pad(kernel, [(0, below), (0, beside), (0, 0), (0, 0)])
    split = (reach[0], steps[0], reach[1], steps[1], inner, outer)
    ordered = ops.transpose(ops.reshape(kernel, split), (0, 2, 1, 3, 4, 5))
    return ops.reshape(ordered, (-1, outer))
