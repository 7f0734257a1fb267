"""Items of a run as a table for a spreadsheet: those that fit a filter, with what evaluation's own export holds."""

from sqlalchemy import Engine

from app.database import open_session
from evaluation.reports.tables import item_columns, item_row
from evaluation.results.records import Generation, load_records
from ui.csv_text import csv_text
from ui.results.items import ItemFilter, RunItems
from ui.results.memory import building
from ui.results.reports import find_run


def items_csv(engine: Engine, run_id: str, chosen: ItemFilter) -> str | None:
    """All completions that fit the filter, one line each, in the run's order; None where there are none.

    An item without any generation has a line too, whose sample is empty.

    Raises:
        InputError: there is no such run.
    """
    with building, open_session(engine) as session:
        run = find_run(session, run_id)
        lines = RunItems(session, run).page(chosen, 0, None)
        if not lines:
            return None
        records = {record.item.id: record for record in load_records(session, run)}
    columns = item_columns(list(records.values()))
    rows = []
    for line in lines:
        record = records[line.item_id]
        known = {generation.sample: generation for generation in record.generations}
        row = item_row(record, known.get(line.sample or 0, Generation(0, None))) | {"sample": line.sample}
        rows.append([row.get(column) for column in columns])
    return csv_text(list(columns), rows)
