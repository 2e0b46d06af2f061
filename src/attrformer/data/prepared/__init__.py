"""Interactions that are coded and sorted before training, in bounded memory, and mapped into memory when they are read.

`parts` cuts a table into parts. `reading` says how they are read, `survey` reads one and says what of it decides about
the whole, and `counting` counts its ids; `plan` decides. `coding` gives each part the codes of the whole, cut by users;
`ordering` brings the users of one range into order, and `writing` puts them into their place. `folder` is what comes of
it. Each step is a function of the part, or range, and what was decided before: whoever runs it, wherever and however
often, writes the same.

Time goes by the bytes that are written and by memory that is touched for the first time. So parts stay in the caches of
the processor, whole numbers take as few bytes as they need, and what is in a file of parquet is rather read again.
"""
