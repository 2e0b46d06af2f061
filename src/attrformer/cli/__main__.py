"""`python -m attrformer.cli`, the same as the `attrformer` command."""

from attrformer.cli import main

main()
