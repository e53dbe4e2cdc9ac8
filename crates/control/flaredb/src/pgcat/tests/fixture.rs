//! A database with one of everything, built by hand, and SQLite with its catalogue.

use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};

use crate::base::catalog::{
    Action, Column, Constraint, Expression, Grant, Identity, IndexKey, Privilege, Role, Schema,
    SequenceOptions,
};
use crate::base::types::{ColumnType, Element, Type};
use crate::base::{Catalog, ConstraintKind, Relation, RelationKind, Settings};
use crate::pgcat::{Backend, Database, Setting, Sight, World, register, rows, tables};

pub(super) const CUSTOMER: u32 = 16389;
pub(super) const ORDER: u32 = 16405;

fn role(oid: u32, name: &str, superuser: bool, member_of: &[&str]) -> Role {
    Role {
        oid,
        name: name.to_owned(),
        superuser,
        login: true,
        inherit: true,
        create_role: superuser,
        create_db: superuser,
        verifier: Some("SCRAM-SHA-256$secret".to_owned()),
        connection_limit: -1,
        valid_until: None,
        member_of: member_of.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn relation(oid: u32, schema: &str, name: &str, kind: RelationKind) -> Relation {
    Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        owner: "postgres".to_owned(),
        stored_as: name.to_owned(),
        columns: Vec::new(),
        constraints: Vec::new(),
        grants: Vec::new(),
        comment: None,
    }
}

fn written(text: &str) -> Option<Expression> {
    Some(Expression { written: text.to_owned(), evaluated: String::new() })
}

/// A column; no default is an empty text.
fn column(number: i16, name: &str, ty: Type, typmod: i32, default: &str) -> Column {
    Column {
        number,
        name: name.to_owned(),
        ty: ColumnType { ty, typmod },
        not_null: false,
        default: if default.is_empty() { None } else { written(default) },
        identity: None,
        generated: None,
        comment: None,
    }
}

fn constraint(oid: u32, name: &str, kind: ConstraintKind, columns: &[i16]) -> Constraint {
    Constraint { oid, name: name.to_owned(), kind, columns: columns.to_vec(), row_id: false }
}

fn check(text: &str) -> ConstraintKind {
    ConstraintKind::Check { expression: text.to_owned() }
}

fn key(column: i16) -> IndexKey {
    IndexKey { column, expression: None, descending: false, nulls_first: false }
}

fn expression(text: &str) -> IndexKey {
    IndexKey { expression: Some(text.to_owned()), ..key(0) }
}

fn index(table: u32, unique: bool, keys: Vec<IndexKey>, predicate: Option<&str>) -> RelationKind {
    let predicate = predicate.map(str::to_owned);
    RelationKind::Index { table, unique, keys, predicate, constraint: false }
}

fn sequence(ty: Type, owned_by: Option<(u32, i16)>) -> SequenceOptions {
    let max = if ty == Type::INT4 { i32::MAX.into() } else { i64::MAX };
    SequenceOptions { ty: ty.into(), start: 1, increment: 1, min: 1, max, cycle: false, owned_by }
}

fn grant(grantee: &str, privilege: Privilege, grantable: bool) -> Grant {
    Grant { grantee: grantee.to_owned(), grantor: "postgres".to_owned(), privilege, grantable }
}

fn customer() -> Relation {
    let mut id = column(1, "id", Type::INT8, -1, "");
    (id.not_null, id.identity) = (true, Some(Identity::Always));
    let mut email = column(2, "email", Type::VARCHAR, 124, "");
    (email.not_null, email.comment) = (true, Some("where to write".to_owned()));
    let mut balance = column(4, "balance", Type::NUMERIC, 655_366, "0");
    balance.not_null = true;
    Relation {
        columns: vec![
            id,
            email,
            column(3, "name", Type::TEXT, -1, "'none'"),
            balance,
            column(5, "made", Type::TIMESTAMPTZ, 3, "now()"),
            column(6, "active", Type::BOOL, -1, "true"),
            column(7, "tag", Type::BPCHAR, 7, ""),
            column(8, "n", Type::INT4, -1, "-1"),
            column(9, "doc", Type::JSONB, -1, "'{}'"),
        ],
        constraints: vec![
            constraint(16401, "customer_pkey", ConstraintKind::PrimaryKey { index: 16400 }, &[1]),
            constraint(16403, "customer_email_key", ConstraintKind::Unique { index: 16402 }, &[2]),
        ],
        grants: vec![
            grant("bob", Privilege::Select, false),
            grant("bob", Privilege::Insert, false),
            grant("public", Privilege::Select, false),
        ],
        comment: Some("who buys".to_owned()),
        ..relation(CUSTOMER, "public", "customer", RelationKind::Table)
    }
}

fn order() -> Relation {
    let mut id = column(1, "id", Type::INT4, -1, "nextval('\"Order_id_seq\"')");
    id.not_null = true;
    let mut customer = column(2, "customer", Type::INT8, -1, "");
    customer.not_null = true;
    let mut total = column(5, "total", Type::FLOAT8, -1, "");
    total.generated = written("price * qty");
    let foreign = ConstraintKind::ForeignKey {
        table: CUSTOMER,
        columns: vec![1],
        on_delete: Action::Cascade,
        on_update: Action::SetNull,
        deferred: true,
    };
    Relation {
        columns: vec![
            id,
            customer,
            column(3, "qty", Type::INT4, -1, ""),
            column(4, "price", Type::FLOAT8, -1, ""),
            total,
        ],
        constraints: vec![
            constraint(16411, "Order_qty_check", check("qty > 0"), &[3]),
            constraint(16412, "both_ok", check("(price > 1.5) AND (qty < 100)"), &[4, 3]),
            constraint(16414, "Order_pkey", ConstraintKind::PrimaryKey { index: 16413 }, &[1]),
            constraint(16416, "odd name", ConstraintKind::Unique { index: 16415 }, &[2, 3]),
            constraint(16417, "Order_customer_fkey", foreign, &[2]),
        ],
        ..relation(ORDER, "public", "Order", RelationKind::Table)
    }
}

fn elsewhere() -> Relation {
    let mut b = column(2, "b", Type::Array(Element::Text), -1, "");
    b.not_null = true;
    Relation {
        columns: vec![
            column(1, "a", Type::Array(Element::Int4), -1, ""),
            b,
            column(3, "c", Type::DATE, -1, ""),
            column(4, "d", Type::TIME, 2, ""),
            column(5, "e", Type::INTERVAL, -1, ""),
            column(6, "f", Type::BPCHAR, -1, ""),
            column(7, "g", Type::CHAR, -1, ""),
            column(8, "h", Type::NAME, -1, ""),
        ],
        ..relation(16431, "app", "t", RelationKind::Table)
    }
}

fn others() -> Vec<Relation> {
    let named = |oid, name, kind| relation(oid, "public", name, kind);
    let cust_x = vec![
        IndexKey { descending: true, nulls_first: true, ..key(3) },
        IndexKey { nulls_first: true, ..key(4) },
        expression("n + 1"),
    ];
    let view = "SELECT customer.id,\n    customer.name\n   FROM customer\n  WHERE customer.active";
    let s = SequenceOptions {
        start: 3,
        increment: 5,
        min: -10,
        max: 1000,
        cycle: true,
        ..sequence(Type::INT8, None)
    };
    vec![
        named(16388, "customer_id_seq", RelationKind::Sequence(sequence(Type::INT8, Some((CUSTOMER, 1))))),
        named(16404, "Order_id_seq", RelationKind::Sequence(sequence(Type::INT4, Some((ORDER, 1))))),
        named(16400, "customer_pkey", index(CUSTOMER, true, vec![key(1)], None)),
        named(16402, "customer_email_key", index(CUSTOMER, true, vec![key(2)], None)),
        named(16413, "Order_pkey", index(ORDER, true, vec![key(1)], None)),
        named(16415, "odd name", index(ORDER, true, vec![key(2), key(3)], None)),
        named(
            16422,
            "customer_lower_idx",
            index(CUSTOMER, false, vec![expression("lower(name)")], Some("active")),
        ),
        named(16423, "cust_x", index(CUSTOMER, true, cust_x, Some("n > 0"))),
        Relation {
            columns: vec![column(1, "id", Type::INT8, -1, ""), column(2, "name", Type::TEXT, -1, "")],
            ..named(16424, "v", RelationKind::View { definition: view.to_owned() })
        },
        named(16428, "s", RelationKind::Sequence(s)),
    ]
}

/// The catalogue.
pub(super) fn catalog() -> Catalog {
    let schema = |oid, name: &str, grants| {
        let (name, owner) = (name.to_owned(), "postgres".to_owned());
        Arc::new(Schema { oid, name, owner, grants })
    };
    let mut catalog = Catalog::default();
    let public = vec![grant("public", Privilege::Usage, false)];
    catalog.schemas.insert("public".to_owned(), schema(2200, "public", public));
    let app = vec![grant("bob", Privilege::Usage, true)];
    catalog.schemas.insert("app".to_owned(), schema(16430, "app", app));
    for one in [customer(), order(), elsewhere()].into_iter().chain(others()) {
        catalog.relations.insert(one.oid, Arc::new(one));
    }
    for one in
        [role(10, "postgres", true, &[]), role(16500, "bob", false, &[]), role(16501, "eve", false, &["bob"])]
    {
        catalog.roles.insert(one.name.clone(), Arc::new(one));
    }
    catalog
}

/// SQLite with `pg_catalog`, `information_schema` and all functions.
pub(super) fn connection() -> Connection {
    connection_as("postgres")
}

/// The same, asked by somebody.
pub(super) fn connection_as(user: &str) -> Connection {
    let connection = crate::functions::testing::connection();
    let catalog = Arc::new(catalog());
    let settings = Settings { user: user.to_owned(), ..Settings::default() };
    let sight = Sight::default();
    register(&connection, &sight).unwrap();
    sight.set(catalog.clone(), settings.clone());
    let world = World {
        catalog: &catalog,
        settings: &settings,
        databases: &[Database { oid: 5, name: "postgres".to_owned(), owner: "postgres".to_owned() }],
        sessions: &[Backend {
            pid: 7,
            user: "bob".to_owned(),
            database: "postgres".to_owned(),
            state: "idle".to_owned(),
            query: "SELECT 1".to_owned(),
            ..Backend::default()
        }],
        shown: &[Setting { name: "TimeZone".to_owned(), value: "UTC".to_owned(), ..Setting::default() }],
    };
    connection
        .execute_batch("ATTACH ':memory:' AS pg_catalog; ATTACH ':memory:' AS information_schema;")
        .unwrap();
    for system in tables() {
        let names: Vec<String> = system.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let table = format!("{}.{}", system.schema, system.name);
        connection.execute_batch(&format!("CREATE TABLE {table}({})", names.join(", "))).unwrap();
        let places = vec!["?"; names.len()].join(", ");
        let mut insert = connection.prepare(&format!("INSERT INTO {table} VALUES ({places})")).unwrap();
        for row in rows(system, &world) {
            insert.execute(params_from_iter(row)).unwrap();
        }
    }
    connection
}
