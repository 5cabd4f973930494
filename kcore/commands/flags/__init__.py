"""The flags of `serve` that come in numbers, a module for each subject: those of upstream's API server, by their names.

May import click and what `options` of the command line offers; what a flag means belongs to the layer that has it.
"""
