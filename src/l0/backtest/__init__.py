"""Run policies over recorded calls, on a virtual clock: what would this policy have done to last week's traffic?"""
