//! The functions.

use super::{ask, check, fixture};

#[test]
fn constraints_are_printed_as_postgresql_prints_them() {
    let connection = fixture::connection();
    let sql = "SELECT conname, fl_pg_get_constraintdef(oid, 0), fl_pg_get_constraintdef(oid, 1)
        FROM pg_catalog.pg_constraint ORDER BY oid";
    let fk = "FOREIGN KEY (customer) REFERENCES customer(id) ON UPDATE SET NULL ON DELETE CASCADE \
        DEFERRABLE INITIALLY DEFERRED";
    assert_eq!(
        ask(&connection, sql),
        [
            "customer_pkey|PRIMARY KEY (id)|PRIMARY KEY (id)",
            "customer_email_key|UNIQUE (email)|UNIQUE (email)",
            "Order_qty_check|CHECK ((qty > 0))|CHECK (qty > 0)",
            "both_ok|CHECK (((price > 1.5) AND (qty < 100)))|CHECK ((price > 1.5) AND (qty < 100))",
            "Order_pkey|PRIMARY KEY (id)|PRIMARY KEY (id)",
            "odd name|UNIQUE (customer, qty)|UNIQUE (customer, qty)",
            &format!("Order_customer_fkey|{fk}|{fk}"),
        ]
    );
}

#[test]
fn indexes_are_printed_as_postgresql_prints_them() {
    let partial = "CREATE UNIQUE INDEX cust_x ON public.customer USING btree \
        (name DESC, balance NULLS FIRST, ((n + 1))) WHERE (n > 0)";
    let pretty = "CREATE UNIQUE INDEX cust_x ON customer USING btree \
        (name DESC, balance NULLS FIRST, (n + 1)) WHERE n > 0";
    check(&[
        ("SELECT fl_pg_get_indexdef(16423, 0, 0)", partial),
        ("SELECT fl_pg_get_indexdef(16423, 0, 1)", pretty),
        ("SELECT fl_pg_get_indexdef(16423, 1, 1), fl_pg_get_indexdef(16423, 3, 1)", "name|(n + 1)"),
        ("SELECT fl_pg_get_indexdef(16423, 4, 1), fl_pg_get_indexdef(1, 0, 1)", "|"),
        (
            "SELECT fl_pg_get_indexdef(16422, 0, 0)",
            "CREATE INDEX customer_lower_idx ON public.customer USING btree (lower(name)) WHERE active",
        ),
        (
            "SELECT fl_pg_get_indexdef(16415, 0, 0)",
            "CREATE UNIQUE INDEX \"odd name\" ON public.\"Order\" USING btree (customer, qty)",
        ),
    ]);
}

#[test]
fn defaults_are_printed_with_their_types() {
    let connection = fixture::connection();
    let sql =
        "SELECT adrelid, adnum, adbin, fl_pg_get_expr(adbin, 1) FROM pg_catalog.pg_attrdef ORDER BY 1, 2";
    assert_eq!(
        ask(&connection, sql),
        [
            "16389|3|'none'::text|'none'::text",
            "16389|4|0|0",
            "16389|5|now()|now()",
            "16389|6|true|true",
            "16389|8|'-1'::integer|'-1'::integer",
            "16389|9|'{}'::jsonb|'{}'::jsonb",
            "16405|1|nextval('\"Order_id_seq\"'::regclass)|nextval('\"Order_id_seq\"'::regclass)",
            "16405|5|(price * qty)|price * qty",
        ]
    );
}

#[test]
fn views_rules_and_sequences_are_printed() {
    let view = " SELECT customer.id,\n    customer.name\n   FROM customer\n  WHERE customer.active;";
    let rule = format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO public.v DO INSTEAD {view}");
    check(&[
        ("SELECT fl_pg_get_viewdef(16424)", view),
        ("SELECT fl_pg_get_viewdef('v')", view),
        ("SELECT fl_pg_get_ruledef(oid, 0) FROM pg_catalog.pg_rewrite", &rule),
        (
            "SELECT fl_pg_get_serial_sequence('customer', 'id'), fl_pg_get_serial_sequence('\"Order\"', 'id')",
            "public.customer_id_seq|public.\"Order_id_seq\"",
        ),
        (
            "SELECT fl_pg_get_serial_sequence('customer', 'nos')",
            "42703: column \"nos\" of relation \"customer\" does not exist",
        ),
    ]);
    let catalog = fixture::catalog();
    let options = |oid: u32| match &catalog.relations[&oid].kind {
        crate::base::RelationKind::Sequence(options) => crate::pgcat::sequence_definition(options),
        _ => String::new(),
    };
    assert_eq!(options(16404), "AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1");
    assert_eq!(options(16428), "START WITH 3 INCREMENT BY 5 MINVALUE -10 MAXVALUE 1000 CACHE 1 CYCLE");
}

#[test]
fn types_are_in_the_words_of_the_standard() {
    let table = [
        (1043, "24", "character varying(20)"),
        (99999, "-1", "???"),
        (0, "-1", "-"),
        (23, "NULL", "integer"),
        (1186, "-1", "interval"),
        (1186, "393219", "interval year to month(3)"),
        (1186, "2147418115", "interval(3)"),
        (18, "-1", "\"char\""),
        (1042, "-1", "bpchar"),
        (1042, "NULL", "character"),
        (1042, "7", "character(3)"),
        (1007, "-1", "integer[]"),
        (1015, "24", "character varying(20)[]"),
        (2287, "-1", "record[]"),
        (22, "-1", "int2vector"),
        (1002, "-1", "\"char\"[]"),
        (1184, "3", "timestamp(3) with time zone"),
        (1083, "-1", "time without time zone"),
        (1700, "655366", "numeric(10,2)"),
    ];
    let connection = fixture::connection();
    for (oid, typmod, expected) in table {
        let sql = format!("SELECT coalesce(fl_pg_format_type({oid}, {typmod}), fl_pg_format_type({oid}))");
        assert_eq!(ask(&connection, &sql), [expected], "{oid} {typmod}");
    }
    assert_eq!(ask(&connection, "SELECT fl_pg_format_type(NULL, NULL)"), [""]);
}

#[test]
fn names_are_found_and_shown() {
    check(&[
        ("SELECT fl_pg_regclass_in('pg_class'), fl_pg_regclass_in('pg_catalog.pg_class')", "1259|1259"),
        ("SELECT fl_pg_regclass_in('Customer'), fl_pg_regclass_in(' app . t')", "16389|16431"),
        (
            "SELECT fl_pg_regclass_in('\"Order\"'), fl_pg_regclass_in('16'), fl_pg_regclass_in('-')",
            "16405|16|0",
        ),
        ("SELECT fl_pg_regclass_in('nos.t')", "3F000: schema \"nos\" does not exist"),
        ("SELECT fl_pg_regclass_in('nos')", "42P01: relation \"nos\" does not exist"),
        ("SELECT fl_pg_to_regclass('nos.t'), fl_pg_to_regclass('t')", "|"),
        ("SELECT fl_pg_to_regclass('\"a')", "42602: invalid name syntax"),
        ("SELECT fl_pg_to_regclass('a b')", "42602: invalid name syntax"),
        ("SELECT fl_pg_regclass_text(16431), fl_pg_regclass_text(16405)", "app.t|\"Order\""),
        (
            "SELECT fl_pg_regclass_text(0), fl_pg_regclass_text(99), fl_pg_regclass_text(1259)",
            "-|99|pg_class",
        ),
        ("SELECT fl_pg_regtype_in('character varying(20)'), fl_pg_regtype_in('int4[]')", "1043|1007"),
        ("SELECT fl_pg_regtype_in('Timestamp  with time zone'), fl_pg_regtype_in('_int4')", "1184|1007"),
        (
            "SELECT fl_pg_regtype_in('pg_catalog.int8'), fl_pg_regtype_in('\"char\"'), fl_pg_regtype_in('char')",
            "20|18|1042",
        ),
        ("SELECT fl_pg_regtype_in('nos')", "42704: type \"nos\" does not exist"),
        (
            "SELECT fl_pg_regtype_text(fl_pg_regtype_in('customer')), fl_pg_regtype_text(23)",
            "customer|integer",
        ),
        ("SELECT fl_pg_regnamespace_in('app'), fl_pg_regnamespace_text(11)", "16430|pg_catalog"),
        ("SELECT fl_pg_regnamespace_in('nos')", "3F000: schema \"nos\" does not exist"),
        ("SELECT fl_pg_regrole_in('bob'), fl_pg_regrole_text(10)", "16500|postgres"),
        ("SELECT fl_pg_regrole_in('nos')", "42704: role \"nos\" does not exist"),
        ("SELECT fl_pg_regproc_text(fl_pg_regproc_in('array_in'))", "array_in"),
        ("SELECT fl_pg_regproc_in('abs')", "42725: more than one function named \"abs\""),
        ("SELECT fl_pg_table_is_visible(16389), fl_pg_table_is_visible(16431)", "1|0"),
        ("SELECT fl_pg_table_is_visible(1259), fl_pg_table_is_visible(999)", "1|"),
        ("SELECT fl_pg_type_is_visible(23), fl_pg_type_is_visible(999)", "1|"),
        (
            "SELECT fl_pg_current_schemas(1), fl_pg_current_schemas(0)",
            "[\"pg_catalog\",\"public\"]|[\"public\"]",
        ),
        ("SELECT fl_pg_get_userbyid(16500), fl_pg_get_userbyid(999)", "bob|unknown (OID=999)"),
        (
            "SELECT fl_pg_obj_description(16389, 'pg_class'), fl_pg_obj_description(16389, 'pg_proc')",
            "who buys|",
        ),
        ("SELECT fl_pg_col_description(16389, 2), fl_pg_col_description(16389, 1)", "where to write|"),
        ("SELECT fl_pg_size_pretty(10239), fl_pg_size_pretty(-24576)", "10239 bytes|-24 kB"),
        ("SELECT fl_pg_size_pretty(10485247), fl_pg_size_pretty(10485248)", "10239 kB|10 MB"),
        ("SELECT fl_pg_size_pretty(9223372036854775807), fl_pg_size_pretty(0)", "8192 PB|0 bytes"),
        ("SELECT fl_pg_acldefault('r', 10)", "[\"postgres=arwdDxt/postgres\"]"),
        ("SELECT fl_pg_acldefault('d', 10)", "[\"=Tc/postgres\",\"postgres=CTc/postgres\"]"),
        ("SELECT fl_pg_acldefault('s', 10)", "[\"postgres=rwU/postgres\"]"),
    ]);
}

#[test]
fn privileges_are_those_that_were_granted() {
    check(&[
        ("SELECT fl_pg_may('table', 'customer', 'select'), fl_pg_may('table', 999, 'select')", "1|"),
        ("SELECT fl_pg_may('table', 'bob', 'customer', 'select, delete')", "1"),
        (
            "SELECT fl_pg_may('table', 'bob', 16389, 'delete'), fl_pg_may('table', 16501, 16389, 'INSERT')",
            "0|1",
        ),
        ("SELECT fl_pg_may('table', 'bob', 'customer', 'insert with grant option')", "0"),
        ("SELECT fl_pg_may('table', 'bob', '\"Order\"', 'select')", "0"),
        ("SELECT fl_pg_may('schema', 'eve', 'app', 'usage with grant option')", "1"),
        (
            "SELECT fl_pg_may('schema', 'eve', 'pg_catalog', 'usage'), fl_pg_may('schema', 'eve', 11, 'create')",
            "1|0",
        ),
        ("SELECT fl_pg_may('table', 'nos', 'select')", "42P01: relation \"nos\" does not exist"),
        ("SELECT fl_pg_may('table', 'customer', 'foo')", "22023: unrecognized privilege type: \"foo\""),
        (
            "SELECT fl_pg_may('table', 'nobody', 'customer', 'select')",
            "42704: role \"nobody\" does not exist",
        ),
        ("SELECT fl_pg_may('sequence', 'customer', 'usage')", "42809: \"customer\" is not a sequence"),
        ("SELECT fl_pg_may('database', 'bob', 'postgres', 'connect')", "1"),
        (
            "SELECT fl_pg_may_column('bob', 'customer', 'id', 'insert'), fl_pg_may_column(16389, 1, 'update')",
            "1|1",
        ),
        (
            "SELECT fl_pg_may_column('customer', 'nos', 'select')",
            "42703: column \"nos\" of relation \"customer\" does not exist",
        ),
        ("SELECT fl_pg_has_role('eve', 'bob', 'usage'), fl_pg_has_role('bob', 'eve', 'member')", "1|0"),
        (
            "SELECT fl_pg_has_role('bob', 'member'), fl_pg_has_role('nos', 'member')",
            "42704: role \"nos\" does not exist",
        ),
    ]);
    let bob = fixture::connection_as("bob");
    assert_eq!(ask(&bob, "SELECT fl_pg_may('table', 'customer', 'update')"), ["0"]);
}
