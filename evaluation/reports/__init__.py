"""Reports of runs and comparisons: terminal, Markdown, CSV, JSON, Parquet and HTML."""
