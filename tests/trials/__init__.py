"""Random incidents, cut short at random moments: does the lab always come back?   python -m tests.trials --trials 50"""
