"""First schema: benchmarks, models, runs, generations, scores, verdicts, feedback, request log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "benchmark",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("duplicates", sa.Integer, nullable=False),
        sa.Column("invalid", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_benchmark"),
        sa.UniqueConstraint("name", "sha256", name="uq_benchmark_name_sha256"),
    )
    op.create_table(
        "item",
        sa.Column("benchmark_id", sa.Integer, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("number", sa.String),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("options", sa.JSON),
        sa.Column("gold", sa.String),
        sa.Column("reference", sa.Text),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("cluster", sa.String(64), nullable=False),
        sa.Column("duplicate_of", sa.String),
        sa.PrimaryKeyConstraint("benchmark_id", "id", name="pk_item"),
        sa.ForeignKeyConstraint(
            ["benchmark_id"], ["benchmark.id"], name="fk_item_benchmark_id_benchmark", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("revision", sa.String, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("name", "revision", "format", name="uq_model_name_revision_format"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("benchmark_id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("code_version", sa.String(100), nullable=False),
        sa.Column("packages", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True)),
        sa.Column("owner", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.ForeignKeyConstraint(["benchmark_id"], ["benchmark.id"], name="fk_run_benchmark_id_benchmark"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_run_model_id_model"),
    )
    op.create_index("ix_run_fingerprint", "run", ["fingerprint"])
    op.create_table(
        "run_item",
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("options", sa.JSON),
        sa.Column("gold", sa.String),
        sa.PrimaryKeyConstraint("run_id", "item_id", name="pk_run_item"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_run_item_run_id_run", ondelete="CASCADE"),
    )
    op.create_table(
        "generation",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("sample", sa.Integer, nullable=False),
        sa.Column("messages", sa.JSON),
        sa.Column("text", sa.Text),
        sa.Column("reasoning", sa.Text),
        sa.Column("finish_reason", sa.String),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("latency_s", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generation"),
        sa.UniqueConstraint("run_id", "item_id", "sample", name="uq_generation_run_id_item_id_sample"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_generation_run_id_run", ondelete="CASCADE"),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("generation_id", sa.Integer, nullable=False),
        sa.Column("scorer", sa.String(64), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("label", sa.String),
        sa.Column("detail", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_score"),
        sa.UniqueConstraint("generation_id", "scorer", "version", name="uq_score_generation_id_scorer_version"),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generation.id"], name="fk_score_generation_id_generation", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("judge_model", sa.String, nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
        sa.UniqueConstraint("judge_model", "prompt_hash", name="uq_verdict_judge_model_prompt_hash"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("rating", sa.Integer),
        sa.Column("correction", sa.Text),
        sa.Column("comment", sa.Text),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_request_id", "feedback", ["request_id"])
    op.create_table(
        "request_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("key_name", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("request", sa.JSON),
        sa.Column("response", sa.JSON),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request_log"),
        sa.UniqueConstraint("request_id", name="uq_request_log_request_id"),
    )
    op.create_index("ix_request_log_created", "request_log", ["created"])
