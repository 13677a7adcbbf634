"""The course as files: chapters in two languages from one source, and their execution in batches.

source      one text file a chapter, read and judged: errors name file and line
generate    the two notebooks of a chapter, the same bytes each time
chapters    which chapters there are: whatever lies in ``notebooks/src``, and nothing else knows
kernels     the two kernels (English, français) and how they are started
execute     one notebook through papermill
batch       several in order, what builds upon what, and what to do after a failure
collect     what a notebook's outputs tell a report: checks passed, outages measured
records     what a batch leaves behind, as values
report      the same, as HTML and JSON
"""

from __future__ import annotations
