"""SQLAlchemy over psycopg: Core, the ORM, and what its inspector reads from the catalogs."""

import datetime as dt
import decimal
import uuid

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg

from common import Bank, Checks

P = "cl_alchemy"
UTC = dt.timezone.utc
checks = Checks("sqlalchemy")


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = f"{P}_author"
    __table_args__ = (sa.CheckConstraint("born > 0", name=f"{P}_born"), sa.Index(f"{P}_by_name", "name", "born"))
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)
    born: orm.Mapped[int | None]
    books: orm.Mapped[list["Book"]] = orm.relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = f"{P}_book"
    id: orm.Mapped[uuid.UUID] = orm.mapped_column(primary_key=True, default=uuid.uuid4)
    title: orm.Mapped[str] = orm.mapped_column(sa.Text)
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey(f"{P}_author.id", ondelete="CASCADE"))
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(10, 2), server_default="9.99")
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")


VALUES = {
    "small": (sa.SmallInteger, -5),
    "large": (sa.BigInteger, 2**62),
    "exact": (sa.Numeric(20, 5), decimal.Decimal("123456.78900")),
    "rough": (sa.Double, 0.1),
    "words": (sa.Text, "snow ☃ 'q'"),
    "flag": (sa.Boolean, True),
    "bytes": (sa.LargeBinary, b"\x00\xff"),
    "day": (sa.Date, dt.date(2024, 2, 29)),
    "hour": (sa.Time, dt.time(1, 2, 3)),
    "local": (sa.DateTime, dt.datetime(2024, 1, 2, 3, 4, 5)),
    "moment": (sa.DateTime(timezone=True), dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "span": (sa.Interval, dt.timedelta(days=2, hours=1)),
    "key": (sa.Uuid, uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    "tree": (pg.JSONB, {"a": [1, None, {"b": True}]}),
    "plain": (sa.JSON, [1, "x"]),
    "numbers": (pg.ARRAY(sa.Integer), [1, 2, 3]),
}
values = sa.Table(
    f"{P}_values", Base.metadata, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    *[sa.Column(name, kind) for name, (kind, _) in VALUES.items()],
)


def state_of(error):
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def make_engine(**options):
    args = {"tcp_user_timeout": 10000, "options": "-c timezone=UTC"}
    return sa.create_engine("postgresql+psycopg://", connect_args=args, **options)


def check_core(engine):
    with engine.begin() as conn:
        key = conn.execute(values.insert().values({name: value for name, (_, value) in VALUES.items()})).inserted_primary_key
        row = conn.execute(sa.select(values).where(values.c.id == key.id)).mappings().one()
        for name, (_, value) in VALUES.items():
            checks.eq(f"column {name}", row[name], value)
        many = conn.execute(values.insert().returning(values.c.id), [{"small": at} for at in range(10)]).scalars().all()
        checks.eq("many inserted", len(set(many)), 10)
        checks.eq("in JSON", conn.scalar(sa.select(values.c.tree["a"][2]["b"].as_boolean()).where(values.c.id == key.id)), True)
        checks.eq("= ANY", conn.scalar(sa.select(sa.func.count()).where(values.c.small == sa.any_(sa.cast([1, 2, 77], pg.ARRAY(sa.Integer))))), 2)
        put = pg.insert(values).values(id=key.id, small=1)
        put = put.on_conflict_do_update(index_elements=["id"], set_={"small": put.excluded.small + values.c.small})
        checks.eq("ON CONFLICT update", conn.execute(put.returning(values.c.small)).scalar_one(), -4)
        nothing = pg.insert(values).values(id=key.id).on_conflict_do_nothing()
        checks.eq("ON CONFLICT nothing", conn.execute(nothing.returning(values.c.id)).first(), None)
        ranked = sa.select(values.c.small, sa.func.row_number().over(order_by=values.c.small.desc()).label("at")).subquery()
        got = conn.execute(sa.select(ranked.c.small).where(ranked.c.at <= 2).order_by(ranked.c.at)).scalars().all()
        checks.eq("a window in a subquery", got, [9, 8])
        totals = sa.select(sa.func.sum(values.c.small).filter(values.c.small > 5), sa.func.count(values.c.large))
        checks.eq("aggregates", tuple(conn.execute(totals).one()), (30, 1))
    with engine.connect() as conn:
        conn.execute(values.delete())
        conn.rollback()
        checks.eq("rolled back", conn.scalar(sa.select(sa.func.count()).select_from(values)), 11)
        streamed = conn.execution_options(yield_per=3).execute(sa.select(values.c.id)).scalars().all()
        checks.eq("streamed", len(streamed), 11)


def check_orm(engine):
    with orm.Session(engine) as session:
        ann = Author(name="Ann", born=1950, books=[Book(title="A"), Book(title="B", price=decimal.Decimal("1.50"))])
        session.add_all([ann, Author(name="Bob", books=[Book(title="C")]), Author(name="Cyd", born=1960)])
        session.commit()
        checks.eq("server default", sorted(book.price for book in ann.books), [decimal.Decimal("1.50"), decimal.Decimal("9.99")])
        joined = sa.select(Author.name, sa.func.count(Book.id)).outerjoin(Author.books).group_by(Author.name).order_by(Author.name)
        checks.eq("joined and grouped", [tuple(row) for row in session.execute(joined)], [("Ann", 2), ("Bob", 1), ("Cyd", 0)])
        eager = sa.select(Author).options(orm.selectinload(Author.books)).order_by(Author.id)
        checks.eq("eager", [len(author.books) for author in session.scalars(eager)], [2, 1, 0])
        some = sa.select(Author.name).where(Author.books.any(Book.title == "C"))
        checks.eq("EXISTS", session.scalars(some).all(), ["Bob"])
        checks.eq("ILIKE and IN", session.scalars(sa.select(Author.name).where(Author.name.ilike("a%"), Author.born.in_([1950, 1]))).all(), ["Ann"])
        session.execute(sa.update(Author).where(Author.born.is_(None)).values(born=Author.id + 1900))
        session.delete(ann)
        session.commit()
        checks.eq("deleted with its books", session.scalar(sa.select(sa.func.count(Book.id))), 1)
        try:
            with session.begin_nested():
                session.add(Author(name="Bob"))
        except sa.exc.IntegrityError as error:
            checks.eq("a duplicate", state_of(error), "23505")
        session.add(Author(name="Dan"))
        session.commit()
        checks.eq("after a savepoint", session.scalars(sa.select(Author.name).order_by(Author.name)).all(), ["Bob", "Cyd", "Dan"])


def check_inspector(engine):
    look = sa.inspect(engine)
    names = [name for name in look.get_table_names() if name.startswith(P)]
    checks.eq("tables", sorted(names), [f"{P}_author", f"{P}_book", f"{P}_values"])
    checks.eq("has_table", (look.has_table(f"{P}_book"), look.has_table(f"{P}_none")), (True, False))
    columns = {column["name"]: column for column in look.get_columns(f"{P}_book")}
    checks.eq("column type", str(columns["price"]["type"]), "NUMERIC(10, 2)")
    checks.eq("column default", columns["price"]["default"], "9.99")
    checks.eq("nullable", (columns["title"]["nullable"], columns["id"]["type"].__class__.__name__), (False, "UUID"))
    checks.eq("primary key", look.get_pk_constraint(f"{P}_book")["constrained_columns"], ["id"])
    foreign = look.get_foreign_keys(f"{P}_book")
    checks.eq("foreign key", (foreign[0]["referred_table"], foreign[0]["options"]), (f"{P}_author", {"ondelete": "CASCADE"}))
    checks.eq("indexes", {index["name"]: index["column_names"] for index in look.get_indexes(f"{P}_author")}[f"{P}_by_name"], ["name", "born"])
    checks.eq("unique", [unique["column_names"] for unique in look.get_unique_constraints(f"{P}_author")], [["name"]])
    checks.eq("check", look.get_check_constraints(f"{P}_author")[0]["sqltext"], "born > 0")
    checks.that("identity", look.get_columns(f"{P}_values")[0].get("identity"))
    checks.eq("views", look.get_view_names(), [f"{P}_view"])
    checks.eq("schemas", "public" in look.get_schema_names(), True)
    again = sa.MetaData()
    again.reflect(engine, only=[f"{P}_values", f"{P}_book"])
    checks.eq("reflected", len(again.tables[f"{P}_values"].columns), len(VALUES) + 1)
    checks.that("reflected what it refers to", f"{P}_author" in again.tables)
    with engine.connect() as conn:
        checks.eq("a reflected table is read", conn.scalar(sa.select(sa.func.count()).select_from(again.tables[f"{P}_book"])), 1)


def check_errors(engine):
    def fails(what, state, sql, **params):
        def call():
            with engine.begin() as conn:
                conn.execute(sa.text(sql), params)

        checks.fails(what, state, state_of, call)

    fails("a duplicate key", "23505", f"INSERT INTO {P}_author (name) VALUES ('Bob')")
    fails("a null", "23502", f"INSERT INTO {P}_author (born) VALUES (1)")
    fails("a foreign key", "23503", f"INSERT INTO {P}_book (id, title, author_id) VALUES (:id, 'x', -1)", id=uuid.uuid4())
    fails("no table", "42P01", f"SELECT * FROM {P}_missing")
    fails("text for a number", "22P02", "SELECT CAST(CAST(:x AS text) AS integer)", x="abc")
    with engine.connect() as conn:
        checks.fails("broken", "22012", state_of, lambda: conn.execute(sa.text("SELECT 1/0")))
        checks.fails("after an error", "25P02", state_of, lambda: conn.execute(sa.text("SELECT 1")))


class Worker:
    conn = None

    def __init__(self):
        self.engine = make_engine(poolclass=sa.NullPool)

    def connect(self):
        self.conn = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self):
        if self.conn is not None:
            self.conn.invalidate()
            self.conn.close()
            self.conn = None

    def run(self, sql):
        self.conn.execute(sa.text(sql))

    def query(self, sql):
        return [tuple(row) for row in self.conn.execute(sa.text(sql))]

    def transfer(self, transfer, source, target, amount):
        with self.engine.begin() as conn:
            put = f"INSERT INTO {P}_transfer VALUES (:id, :source, :target, :amount) ON CONFLICT (id) DO NOTHING"
            done = conn.execute(sa.text(put), {"id": transfer, "source": source, "target": target, "amount": amount})
            if done.rowcount == 1:
                add = sa.text(f"UPDATE {P}_account SET balance = balance + :amount WHERE id = :id")
                conn.execute(add, {"amount": -amount, "id": source})
                conn.execute(add, {"amount": amount, "id": target})


main = make_engine(pool_size=3)
with main.begin() as connection:
    connection.execute(sa.text(f"DROP VIEW IF EXISTS {P}_view"))
Base.metadata.drop_all(main)
Base.metadata.create_all(main)
with main.begin() as connection:
    connection.execute(sa.text(f"CREATE VIEW {P}_view AS SELECT id, name FROM {P}_author"))
for check in (check_core, check_orm, check_inspector, check_errors):
    check(main)
with main.begin() as connection:
    connection.execute(sa.text(f"DROP VIEW {P}_view"))
Base.metadata.drop_all(main)
Bank(checks, P, Worker, state_of).keep_going()
