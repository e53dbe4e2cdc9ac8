//! The rows of `information_schema`.

use super::{ask, check, fixture};

#[test]
fn columns_are_as_postgresql_has_them() {
    let connection = fixture::connection();
    let sql = "SELECT column_name, column_default, is_nullable, data_type, character_maximum_length,
        character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision,
        udt_name, is_identity, identity_generation, identity_maximum, identity_cycle, is_generated,
        generation_expression
        FROM information_schema.columns WHERE table_name IN ('customer', 'Order', 't')
        AND column_name IN ('id', 'email', 'balance', 'made', 'total', 'a', 'e') ORDER BY table_name DESC, ordinal_position";
    assert_eq!(
        ask(&connection, sql),
        [
            "a||YES|ARRAY|||||||_int4|NO|||NO|NEVER|",
            "e||YES|interval||||||6|interval|NO|||NO|NEVER|",
            "id||NO|bigint|||64|2|0||int8|YES|ALWAYS|9223372036854775807|NO|NEVER|",
            "email||NO|character varying|120|480|||||varchar|NO|||NO|NEVER|",
            "balance|0|NO|numeric|||10|10|2||numeric|NO|||NO|NEVER|",
            "made|now()|YES|timestamp with time zone||||||3|timestamptz|NO|||NO|NEVER|",
            "id|nextval('\"Order_id_seq\"'::regclass)|NO|integer|||32|2|0||int4|NO|||NO|NEVER|",
            "total||YES|double precision|||53|2|||float8|NO|||NO|ALWAYS|(price * qty)",
        ]
    );
}

#[test]
fn constraints_are_as_postgresql_has_them() {
    let connection = fixture::connection();
    assert_eq!(
        ask(
            &connection,
            "SELECT constraint_name, constraint_type, is_deferrable FROM information_schema.table_constraints
             WHERE table_name = 'Order' ORDER BY constraint_type, constraint_name"
        ),
        [
            "2200_16405_1_not_null|CHECK|NO",
            "2200_16405_2_not_null|CHECK|NO",
            "Order_qty_check|CHECK|NO",
            "both_ok|CHECK|NO",
            "Order_customer_fkey|FOREIGN KEY|YES",
            "Order_pkey|PRIMARY KEY|NO",
            "odd name|UNIQUE|NO",
        ]
    );
    check(&[
        (
            "SELECT unique_constraint_name, match_option, update_rule, delete_rule
             FROM information_schema.referential_constraints",
            "customer_pkey|NONE|SET NULL|CASCADE",
        ),
        (
            "SELECT check_clause FROM information_schema.check_constraints WHERE constraint_name = 'Order_qty_check'",
            "((qty > 0))",
        ),
        (
            "SELECT column_name, ordinal_position, position_in_unique_constraint
             FROM information_schema.key_column_usage WHERE constraint_name = 'Order_customer_fkey'",
            "customer|1|1",
        ),
        (
            "SELECT table_name, column_name FROM information_schema.constraint_column_usage
             WHERE constraint_name = 'Order_customer_fkey'",
            "customer|id",
        ),
    ]);
}

#[test]
fn relations_and_grants_are_as_postgresql_has_them() {
    check(&[
        (
            "SELECT group_concat(table_name || ' ' || table_type, ', ') FROM information_schema.tables
             WHERE table_schema = 'public'",
            "customer BASE TABLE, Order BASE TABLE, v VIEW",
        ),
        (
            "SELECT group_concat(schema_name, ', ') FROM information_schema.schemata",
            "app, information_schema, pg_catalog, public",
        ),
        (
            "SELECT data_type, numeric_precision, minimum_value, cycle_option FROM information_schema.sequences
             WHERE sequence_name = 's'",
            "bigint|64|-10|YES",
        ),
        // The sequences of identity columns are not shown.
        ("SELECT count(*) FROM information_schema.sequences", "2"),
        (
            "SELECT group_concat(grantee || ' ' || privilege_type || ' ' || with_hierarchy, ', ')
             FROM information_schema.table_privileges WHERE table_name = 'customer' AND grantee <> 'postgres'",
            "bob SELECT YES, bob INSERT NO, PUBLIC SELECT YES",
        ),
    ]);
}
