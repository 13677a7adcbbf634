"""The course as files: chapters in two languages from one source, and their execution in batches.

The sources and their notebooks:

source        one text file a chapter, read and judged: errors name file and line
generate      the two notebooks of a chapter, the same bytes each time
typography    the spaces of French prose that no line may be broken at
chapters      which chapters there are: whatever lies in ``notebooks/src``, and nothing else knows
outline       what a chapter's start depends on: the chapters that it builds upon, and their code
parameters    what a batch can set in the notebooks
errors        what can be wrong with sources, a chapter's name, notebooks

Jupyter:

kernels       the two kernels (English, français) and how they are started
frontend      how JupyterLab opens
landing       the way into the course, as an extension of the Jupyter server

Batches:

execute       one notebook through papermill
batch         several in order, what builds upon what, and what to do after a failure
order         what was asked of a batch and how far it has come, for ``workshop run --resume``
progress      how far it is, on a terminal or in a log
soak          several runs of the same order, summed up
testrun       several pytest runs side by side, and one summary

What a batch leaves:

collect       what a notebook's outputs tell a report: checks passed, outages measured
records       what a batch leaves behind, as values
report        the same, as HTML and JSON
reportcharts  an executed notebook's charts, for a page with its own plotly.js
reportwords   what a batch's pages say, in both languages
overhead      what a batch costs beside the lab's own time
versions      with which software a result was had
book          the reading edition: the executed course as pages

Saves, and the states that chapters start from:

saves         keep the lab as it is, and put it back
saverecords   one JSON file a save
saveerrors    what can be wrong with a save
placing       the parts of a save and of a return to one
disks         the program that root runs: it moves the layers of the nodes' disks
settling      after that: the nodes are started, and the lab is awaited
standing      which save the lab was put at, and whether anybody has changed it since
archive       a save as a file, for another machine
states        the states that chapters start from, made once and kept as saves
places        the same, as a batch asks for them
"""

from __future__ import annotations
