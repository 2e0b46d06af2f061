"""`python -m attrformer`, the same as the `attrformer` command."""

from attrformer.cli import main

if __name__ == "__main__":
    main()
