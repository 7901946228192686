"""Compiled inner loops over plain arrays.

A leaf: nothing here knows what a chain is. The loops are compiled by numba when they are
first used and kept on disk; importing one of these modules imports numba, so it is done
only where a chain is large.
"""
