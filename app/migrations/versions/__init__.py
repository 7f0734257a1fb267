"""One file per schema version, oldest first. A released one is never changed."""
