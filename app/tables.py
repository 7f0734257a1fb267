"""The results database's tables: a public interface, documented in docs/results-schema.md."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, MetaData, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """A time zone aware UTC datetime; SQLite, which has no zones, stores it as UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they would be read back shifted."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value if value is None else value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all tables; named constraints, so that migrations can address them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # Without none_as_null an absent value is stored as the JSON text "null", which no `IS NULL` of a user finds.
    type_annotation_map = {  # noqa: RUF012
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        datetime: UtcDateTime,
    }


class BenchmarkRow(Base):
    """A benchmark as it was evaluated: another content is another row."""

    __tablename__ = "benchmark"
    __table_args__ = (UniqueConstraint("name", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String)
    version: Mapped[str] = mapped_column(String)
    sha256: Mapped[str] = mapped_column(String(64))
    n: Mapped[int]
    duplicates: Mapped[int]
    invalid: Mapped[list[Any]]  # [{file, row, field, reason}]


class ItemRow(Base):
    """An item of a benchmark, so that a run can be read and scored again without the benchmark's file."""

    __tablename__ = "item"

    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    row: Mapped[int]
    number: Mapped[str | None] = mapped_column(String)
    kind: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(8))
    question: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any] | None]
    gold: Mapped[str | None] = mapped_column(String)
    reference: Mapped[str | None] = mapped_column(Text)
    groups: Mapped[dict[str, Any]]
    cluster: Mapped[str] = mapped_column(String(64))
    duplicate_of: Mapped[str | None] = mapped_column(String)


class ModelRow(Base):
    """A model under test."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("name", "revision", "format"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String)
    revision: Mapped[str] = mapped_column(String, default="")  # a checkpoint's weight hash, or ""
    format: Mapped[str] = mapped_column(String(16))  # plain, himed or cure-med


class RunRow(Base):
    """One benchmark, model, prompt and sampling setting. ``id`` is a ULID."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    # Hash of everything that decides the figures: the same command finds its unfinished run by it.
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    source: Mapped[str] = mapped_column(String(16))  # model, endpoint or predictions
    settings: Mapped[dict[str, Any]]  # the resolved configuration
    prompt_hash: Mapped[str] = mapped_column(String(64))
    code_version: Mapped[str] = mapped_column(String(100))
    packages: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16))  # running, interrupted, finished or incomplete (items failed)
    n: Mapped[int]  # items selected
    samples: Mapped[int] = mapped_column(default=1)
    started: Mapped[datetime] = mapped_column(default=utc_now)
    heartbeat: Mapped[datetime] = mapped_column(default=utc_now)
    finished: Mapped[datetime | None]
    # host:process:start of who works on it; None when nobody does
    owner: Mapped[str | None] = mapped_column(String(200))

    benchmark: Mapped[BenchmarkRow] = relationship(lazy="joined")
    model: Mapped[ModelRow] = relationship(lazy="joined")


class RunItemRow(Base):
    """An item selected for a run, with the options as they were shown (they may be shuffled)."""

    __tablename__ = "run_item"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    options: Mapped[dict[str, Any] | None]
    gold: Mapped[str | None] = mapped_column(String)


class GenerationRow(Base):
    """One completion of one item: unique per run, item and sample number."""

    __tablename__ = "generation"
    __table_args__ = (UniqueConstraint("run_id", "item_id", "sample"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(String(64))
    sample: Mapped[int]
    messages: Mapped[list[Any] | None]  # the prompt as sent, with sample 0; None for imported text
    text: Mapped[str | None] = mapped_column(Text)  # None when the item failed for good
    reasoning: Mapped[str | None] = mapped_column(Text)  # when the endpoint returned it apart
    finish_reason: Mapped[str | None] = mapped_column(String)
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    latency_s: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=utc_now)


class ScoreRow(Base):
    """One metric of one generation by a named, versioned scorer. ``value`` None means unknown."""

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("generation_id", "scorer", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generation.id", ondelete="CASCADE"))
    scorer: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String)
    value: Mapped[float | None]
    label: Mapped[str | None] = mapped_column(String)
    detail: Mapped[dict[str, Any] | None]


class VerdictRow(Base):
    """A judge's verdict: unique per judge model and prompt hash, which makes it the judge cache."""

    __tablename__ = "verdict"
    __table_args__ = (UniqueConstraint("judge_model", "prompt_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    judge_model: Mapped[str] = mapped_column(String)
    prompt_hash: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))  # correct or language
    verdict: Mapped[str] = mapped_column(String(16))  # true, false or unparsed
    reply: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=utc_now)


class ApiKeyRow(Base):
    """A key of the server: its hash, never itself."""

    __tablename__ = "api_key"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # the public part of the key
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[str] = mapped_column(String(64))  # SHA-256 of the whole key, in hexadecimal digits
    scopes: Mapped[list[Any]]  # of chat, feedback and admin
    per_minute: Mapped[int | None]  # requests; None is no limit
    concurrency: Mapped[int | None]  # open requests; None is no limit
    created: Mapped[datetime] = mapped_column(default=utc_now)
    revoked: Mapped[datetime | None]


class FeedbackRow(Base):
    """What a clinician said of an answer of the server."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), index=True)
    who: Mapped[str] = mapped_column(String)  # as the client says; the key's name where it says nothing
    rating: Mapped[int | None]
    correction: Mapped[str | None] = mapped_column(Text)
    comment: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=utc_now)
    key_name: Mapped[str | None] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String)
    language: Mapped[str | None] = mapped_column(String(8))
    question: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)


class RequestLogRow(Base):
    """The server's request log: written only when switched on."""

    __tablename__ = "request_log"
    __table_args__ = (Index(None, "created"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), unique=True)
    key_name: Mapped[str] = mapped_column(String)
    model: Mapped[str] = mapped_column(String)
    status: Mapped[int]
    request: Mapped[dict[str, Any] | None]
    response: Mapped[dict[str, Any] | None]
    created: Mapped[datetime] = mapped_column(default=utc_now)
    path: Mapped[str | None] = mapped_column(String)
    duration_s: Mapped[float | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]


class ComparisonVoteRow(Base):
    """Which of two models' answers to one question a person took for the better one, without knowing their names."""

    __tablename__ = "comparison_vote"
    __table_args__ = (Index(None, "model_a", "model_b"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[datetime] = mapped_column(default=utc_now)
    who: Mapped[str] = mapped_column(String, default="")  # the account's name; "" where nobody signs in
    question: Mapped[str] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(8))
    model_a: Mapped[str] = mapped_column(String)  # the one shown first
    model_b: Mapped[str] = mapped_column(String)
    answer_a: Mapped[str | None] = mapped_column(Text)
    answer_b: Mapped[str | None] = mapped_column(Text)
    request_a: Mapped[str | None] = mapped_column(String(64))
    request_b: Mapped[str | None] = mapped_column(String(64))
    vote: Mapped[str] = mapped_column(String(8))  # a, b, tie or neither


class AccountRow(Base):
    """A person who may sign in to the page."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    password: Mapped[str] = mapped_column(String)  # its scrypt hash, with salt and parameters
    created: Mapped[datetime] = mapped_column(default=utc_now)
    disabled: Mapped[datetime | None]


class AccountSessionRow(Base):
    """Somebody who is signed in: the hash of a token, never itself."""

    __tablename__ = "account_session"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256, in hexadecimal digits
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    created: Mapped[datetime] = mapped_column(default=utc_now)
    expires: Mapped[datetime] = mapped_column(index=True)
