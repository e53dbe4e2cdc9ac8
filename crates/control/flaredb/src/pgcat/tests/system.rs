//! The rows of `pg_catalog`, and the declarations.

use super::{ask, check, fixture};
use crate::pgcat::{find, rows::made, tables};

#[test]
fn all_relations_are_declared_and_all_makers_have_one() {
    assert!(tables().len() > 115);
    for (schema, name) in made() {
        assert!(find(Some(schema), name).is_some(), "{schema}.{name}");
    }
    let columns = |name| find(None, name).unwrap().columns.len();
    assert_eq!(
        [columns("pg_class"), columns("pg_attribute"), columns("pg_type"), columns("pg_proc")],
        [33, 26, 32, 30]
    );
    assert!(find(None, "tables").is_none());
    assert!(find(Some("information_schema"), "columns").is_some());
}

#[test]
fn no_two_objects_share_an_oid() {
    let connection = fixture::connection();
    for table in ["pg_class", "pg_type", "pg_proc", "pg_constraint", "pg_attrdef", "pg_cast", "pg_namespace"]
    {
        let sql = format!("SELECT count(*) - count(DISTINCT oid) FROM pg_catalog.{table}");
        assert_eq!(ask(&connection, &sql), ["0"], "{table}");
    }
}

#[test]
fn relations_are_as_postgresql_has_them() {
    let connection = fixture::connection();
    let sql =
        "SELECT relname, relacl, relkind, relpersistence, relreplident, relhasindex, relchecks, reltuples,
        relam, relnatts FROM pg_catalog.pg_class WHERE relnamespace = 2200 ORDER BY oid";
    let acl = "[\"postgres=arwdDxt/postgres\",\"bob=ar/postgres\",\"=r/postgres\"]";
    assert_eq!(
        ask(&connection, sql),
        [
            "customer_id_seq||S|p|n|0|0|1|0|3",
            &format!("customer|{acl}|r|p|d|1|0|-1|2|9"),
            "customer_pkey||i|p|n|0|0|0|403|1",
            "customer_email_key||i|p|n|0|0|0|403|1",
            "Order_id_seq||S|p|n|0|0|1|0|3",
            "Order||r|p|d|1|2|-1|2|5",
            "Order_pkey||i|p|n|0|0|0|403|1",
            "odd name||i|p|n|0|0|0|403|2",
            "customer_lower_idx||i|p|n|0|0|0|403|1",
            "cust_x||i|p|n|0|0|0|403|3",
            "v||v|p|n|0|0|-1|0|2",
            "s||S|p|n|0|0|1|0|3",
        ]
    );
    check(&[(
        "SELECT nspacl FROM pg_catalog.pg_namespace WHERE nspname = 'app'",
        "[\"postgres=UC/postgres\",\"bob=U*/postgres\"]",
    )]);
}

#[test]
fn columns_are_as_postgresql_has_them() {
    let connection = fixture::connection();
    let sql = "SELECT attname, fl_pg_format_type(atttypid, atttypmod), attlen, attndims, attcacheoff, attbyval,
        attalign, attstorage, attnotnull, atthasdef, attidentity, attgenerated, attcollation
        FROM pg_catalog.pg_attribute WHERE attrelid IN (16389, 16405, 16431) AND attnum > 0
        AND attname IN ('id', 'email', 'balance', 'tag', 'total', 'a', 'b', 'g', 'h') ORDER BY attrelid, attnum";
    assert_eq!(
        ask(&connection, sql),
        [
            "id|bigint|8|0|-1|1|d|p|1|0|a||0",
            "email|character varying(120)|-1|0|-1|0|i|x|1|0|||100",
            "balance|numeric(10,2)|-1|0|-1|0|i|m|1|1|||0",
            "tag|character(3)|-1|0|-1|0|i|x|0|0|||100",
            "id|integer|4|0|-1|1|i|p|1|1|||0",
            "total|double precision|8|0|-1|1|d|p|0|1||s|0",
            "a|integer[]|-1|1|-1|0|i|x|0|0|||0",
            "b|text[]|-1|1|-1|0|i|x|1|0|||100",
            "g|\"char\"|1|0|-1|1|c|p|0|0|||0",
            "h|name|64|0|-1|0|c|p|0|0|||950",
        ]
    );
    check(&[(
        "SELECT group_concat(attname, ',') FROM pg_catalog.pg_attribute WHERE attrelid = 16423",
        "name,balance,expr",
    )]);
}

#[test]
fn indexes_and_constraints_are_as_postgresql_has_them() {
    check(&[
        (
            "SELECT indkey, indclass, indoption, indcollation, indexprs, indpred, indisunique, indisprimary
             FROM pg_catalog.pg_index WHERE indexrelid = 16423",
            "[3,4,0]|[3126,3125,3126]|[3,2,0]|[100,0,100]|(n + 1)|(n > 0)|1|0",
        ),
        ("SELECT indisprimary FROM pg_catalog.pg_index WHERE indexrelid = 16400", "1"),
        (
            "SELECT contype, conkey, confkey, confupdtype, confdeltype, confmatchtype, condeferrable, condeferred,
             conindid, conpfeqop, connoinherit FROM pg_catalog.pg_constraint WHERE conname = 'Order_customer_fkey'",
            "f|[2]|[1]|n|c|s|1|1|16400|[410]|1",
        ),
        (
            "SELECT deptype, refobjsubid FROM pg_catalog.pg_depend
             WHERE classid = 1259 AND refobjid = 16389 AND objid = 16388",
            "i|1",
        ),
        ("SELECT deptype FROM pg_catalog.pg_depend WHERE classid = 1259 AND objid = 16404", "a"),
    ]);
}

#[test]
fn roles_show_no_verifier() {
    let connection = fixture::connection();
    for table in ["pg_roles", "pg_authid", "pg_user"] {
        let rows = ask(&connection, &format!("SELECT * FROM pg_catalog.{table}"));
        assert!(rows.len() == 3 && rows.iter().all(|row| !row.contains("SCRAM")), "{rows:?}");
    }
    check(&[
        ("SELECT oid, rolsuper, rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = 'postgres'", "10|1|-1"),
        ("SELECT roleid, member FROM pg_catalog.pg_auth_members", "16500|16501"),
    ]);
}

#[test]
fn types_are_what_drivers_look_up() {
    check(&[
        // What tokio-postgres and others ask of an unknown OID.
        (
            "SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid
             FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
             INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1009",
            "_text|b|25||0|pg_catalog|0",
        ),
        (
            "SELECT t.typname, t.typtype, t.typrelid FROM pg_catalog.pg_type t WHERE typname = 'customer'",
            "customer|c|16389",
        ),
        (
            "SELECT t.typcategory, t.typarray, t.typlen, p.proname FROM pg_catalog.pg_type t
             JOIN pg_catalog.pg_proc p ON p.oid = t.typreceive WHERE t.oid = 1007",
            "A|0|-1|array_recv",
        ),
        ("SELECT count(*) FROM pg_catalog.pg_enum", "0"),
        ("SELECT castcontext FROM pg_catalog.pg_cast WHERE castsource = 23 AND casttarget = 20", "i"),
    ]);
}

#[test]
fn functions_are_listed_with_their_signatures() {
    check(&[
        (
            "SELECT proname, prorettype, proargtypes, fl_pg_get_function_result(oid),
             fl_pg_get_function_arguments(oid) FROM pg_catalog.pg_proc WHERE proname = 'col_description'",
            "col_description|25|[26,23]|text|oid, integer",
        ),
        ("SELECT count(*) > 300 FROM pg_catalog.pg_proc", "1"),
    ]);
}

#[test]
fn views_list_what_there_is() {
    check(&[
        ("SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname IN ('public', 'app')", "3"),
        ("SELECT viewname, viewowner FROM pg_catalog.pg_views WHERE schemaname = 'public'", "v|postgres"),
        ("SELECT count(*) FROM pg_catalog.pg_indexes WHERE tablename = 'customer'", "4"),
        (
            "SELECT min_value, max_value, cycle FROM pg_catalog.pg_sequences WHERE sequencename = 's'",
            "-10|1000|1",
        ),
        (
            "SELECT datname, usename, state, query FROM pg_catalog.pg_stat_activity",
            "postgres|bob|idle|SELECT 1",
        ),
        ("SELECT name, setting FROM pg_catalog.pg_settings", "TimeZone|UTC"),
        (
            "SELECT description FROM pg_catalog.pg_description WHERE objoid = 16389 AND objsubid = 2",
            "where to write",
        ),
    ]);
}
