"""Data construction: from scanned books and English corpora to training instances (`himed-data`)."""
