"""What a trainee looks at and touches in a notebook: maps, calculators, predictions, panels.

nodemap         a map of the seven nodes
quorum          the quorum explorer: how many arbiters must agree, how many may fail
prediction      a question before the act, held against what was measured after it
panel           the incident panel: break and heal by a button
panel_model     what it shows, as plain data
panel_view      its widgets
panel_html      its HTML and style
panel_result    its clock
look            the look that the course's outputs share, and the one way to show and replace them
"""
