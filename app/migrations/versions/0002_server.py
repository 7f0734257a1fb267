"""What the server stores: its API keys, the answer that feedback speaks of, and the cost of a logged request."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("per_minute", sa.Integer),
        sa.Column("concurrency", sa.Integer),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("name", name="uq_api_key_name"),
    )
    op.add_column("feedback", sa.Column("key_name", sa.String(100)))
    op.add_column("feedback", sa.Column("model", sa.String))
    op.add_column("feedback", sa.Column("language", sa.String(8)))
    op.add_column("feedback", sa.Column("question", sa.Text))
    op.add_column("feedback", sa.Column("answer", sa.Text))
    op.add_column("request_log", sa.Column("path", sa.String))
    op.add_column("request_log", sa.Column("duration_s", sa.Double))
    op.add_column("request_log", sa.Column("prompt_tokens", sa.Integer))
    op.add_column("request_log", sa.Column("completion_tokens", sa.Integer))
