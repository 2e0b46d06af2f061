"""Plans of many training runs: carried out, kept as JSON lines, and told in tables."""
