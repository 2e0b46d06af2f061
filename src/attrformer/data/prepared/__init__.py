"""Interactions that are coded and sorted before training, in bounded memory, and mapped into memory when they are read.

`parts` cuts a table into parts. `survey` reads a part and says what of it decides about the whole; `plan` decides.
`coding` gives each part the codes of the whole, cut by users; `ordering` brings the users of one range into order.
`folder` is what comes of it. Each step is a function of the part, or range, and what was decided before, and makes one
file: whoever runs it, wherever and however often, makes the same one.
"""
