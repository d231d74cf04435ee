"""Formulas as MathML, by docutils' own converter."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def convert(formula, as_block=False):
    """Keep bars of norms as high as letters. Browsers stretch them over a fraction."""
    mathml = tex2mathml(formula, as_block=as_block)
    bar = '<mo stretchy="false" lspace="0" rspace="0">‖</mo>'
    for written in ('<mo class="mathopen">‖</mo>', "<mo>‖</mo>"):
        mathml = mathml.replace(written, bar)
    return mathml


def visit_inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node):
    mathml = convert(node.astext(), as_block=True)
    self.body.append(f'<div class="math">{mathml}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
