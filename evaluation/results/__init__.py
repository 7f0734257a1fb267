"""The results database: runs, records and the `himed-results` command. Its tables are in `app`."""
