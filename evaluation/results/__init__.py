"""The results database: tables, migrations, records and the `himed-results` command."""
