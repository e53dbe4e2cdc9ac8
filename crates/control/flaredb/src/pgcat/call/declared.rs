//! The functions as PostgreSQL declares them.

use crate::base::rules::{Function, Pattern};
use crate::base::types::{Element, Type};
use crate::functions::shape::{BOOL, INT2, INT4, INT8, NAME, TEXT, function, rows, stable};

const OID: Pattern = Pattern::Exact(Type::OID);
const CHAR: Pattern = Pattern::Exact(Type::CHAR);
const REGCLASS: Pattern = Pattern::Exact(Type::REGCLASS);
const TREE: Pattern = Pattern::Exact(Type::Scalar(Element::NodeTree));
const NAMES: Type = Type::Array(Element::Name);
const INT4S: Type = Type::Array(Element::Int4);
const ACL: Type = Type::Array(Element::Aclitem);
const NOTHING: &[Pattern] = &[];

const fn text(name: &'static str, arguments: &'static [Pattern], emit: &'static str) -> Function {
    stable(function(name, arguments, Type::TEXT, emit))
}

const fn test(name: &'static str, arguments: &'static [Pattern], emit: &'static str) -> Function {
    stable(function(name, arguments, Type::BOOL, emit))
}

const fn of(name: &'static str, arguments: &'static [Pattern], result: Type, emit: &'static str) -> Function {
    stable(function(name, arguments, result, emit))
}

/// A size that nobody knows.
const fn size(name: &'static str, arguments: &'static [Pattern]) -> Function {
    of(name, arguments, Type::INT8, "0")
}

/// A role or none, an object, and what it may: by names and OIDs.
macro_rules! privileges {
    ($name:literal, $emit:literal) => {
        [
            test($name, &[TEXT, TEXT], $emit),
            test($name, &[OID, TEXT], $emit),
            test($name, &[NAME, TEXT, TEXT], $emit),
            test($name, &[NAME, OID, TEXT], $emit),
            test($name, &[OID, TEXT, TEXT], $emit),
            test($name, &[OID, OID, TEXT], $emit),
        ]
    };
}

const PRIVILEGES: [[Function; 6]; 9] = [
    privileges!("has_table_privilege", "fl_pg_may('table', {*})"),
    privileges!("has_any_column_privilege", "fl_pg_may('table', {*})"),
    privileges!("has_sequence_privilege", "fl_pg_may('sequence', {*})"),
    privileges!("has_schema_privilege", "fl_pg_may('schema', {*})"),
    privileges!("has_database_privilege", "fl_pg_may('database', {*})"),
    privileges!("has_function_privilege", "fl_pg_may('function', {*})"),
    privileges!("has_type_privilege", "fl_pg_may('type', {*})"),
    privileges!("has_language_privilege", "fl_pg_may('type', {*})"),
    privileges!("pg_has_role", "fl_pg_has_role({*})"),
];

const COLUMN: &str = "fl_pg_may_column({*})";

const OTHERS: &[Function] = &[
    test("has_column_privilege", &[TEXT, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[TEXT, INT2, TEXT], COLUMN),
    test("has_column_privilege", &[OID, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[OID, INT2, TEXT], COLUMN),
    test("has_column_privilege", &[NAME, TEXT, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[NAME, TEXT, INT2, TEXT], COLUMN),
    test("has_column_privilege", &[NAME, OID, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[NAME, OID, INT2, TEXT], COLUMN),
    test("has_column_privilege", &[OID, TEXT, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[OID, OID, TEXT, TEXT], COLUMN),
    test("has_column_privilege", &[OID, OID, INT2, TEXT], COLUMN),
    text("pg_get_constraintdef", &[OID], "fl_pg_get_constraintdef({1}, 0)"),
    text("pg_get_constraintdef", &[OID, BOOL], "fl_pg_get_constraintdef({1}, {2})"),
    text("pg_get_indexdef", &[OID], "fl_pg_get_indexdef({1}, 0, 0)"),
    text("pg_get_indexdef", &[OID, INT4, BOOL], "fl_pg_get_indexdef({1}, {2}, {3})"),
    text("pg_get_viewdef", &[OID], "fl_pg_get_viewdef({1})"),
    text("pg_get_viewdef", &[TEXT], "fl_pg_get_viewdef({1})"),
    text("pg_get_viewdef", &[OID, BOOL], "fl_pg_get_viewdef({1})"),
    text("pg_get_viewdef", &[TEXT, BOOL], "fl_pg_get_viewdef({1})"),
    text("pg_get_viewdef", &[OID, INT4], "fl_pg_get_viewdef({1})"),
    text("pg_get_ruledef", &[OID], "fl_pg_get_ruledef({1}, 0)"),
    text("pg_get_ruledef", &[OID, BOOL], "fl_pg_get_ruledef({1}, {2})"),
    text("pg_get_expr", &[TREE, OID], "fl_pg_get_expr({1}, 0)"),
    text("pg_get_expr", &[TREE, OID, BOOL], "fl_pg_get_expr({1}, {3})"),
    of("pg_get_userbyid", &[OID], Type::NAME, "fl_pg_get_userbyid({1})"),
    text("pg_get_serial_sequence", &[TEXT, TEXT], "fl_pg_get_serial_sequence({1}, {2})"),
    text("format_type", &[OID, INT4], "coalesce(fl_pg_format_type({1}, {2}), fl_pg_format_type({1}))"),
    text("obj_description", &[OID], "fl_pg_obj_description({1}, '')"),
    text("obj_description", &[OID, NAME], "fl_pg_obj_description({1}, {2})"),
    text("col_description", &[OID, INT4], "fl_pg_col_description({1}, {2})"),
    text("shobj_description", &[OID, NAME], "NULL"),
    text("pg_get_function_result", &[OID], "fl_pg_get_function_result({1})"),
    text("pg_get_function_arguments", &[OID], "fl_pg_get_function_arguments({1})"),
    text("pg_get_function_identity_arguments", &[OID], "fl_pg_get_function_arguments({1})"),
    text("pg_get_function_sqlbody", &[OID], "NULL"),
    text("pg_get_function_arg_default", &[OID, INT4], "NULL"),
    text("pg_get_functiondef", &[OID], "NULL"),
    text("pg_get_triggerdef", &[OID], "NULL"),
    text("pg_get_triggerdef", &[OID, BOOL], "NULL"),
    text("pg_get_partkeydef", &[OID], "NULL"),
    text("pg_get_partition_constraintdef", &[OID], "NULL"),
    text("pg_get_statisticsobjdef", &[OID], "NULL"),
    text("pg_get_statisticsobjdef_columns", &[OID], "NULL"),
    text("pg_tablespace_location", &[OID], "''"),
    test("pg_table_is_visible", &[OID], "fl_pg_table_is_visible({1})"),
    test("pg_type_is_visible", &[OID], "fl_pg_type_is_visible({1})"),
    test("pg_function_is_visible", &[OID], "fl_pg_function_is_visible({1})"),
    test("pg_operator_is_visible", &[OID], "({1} = {1})"),
    test("pg_opclass_is_visible", &[OID], "({1} = {1})"),
    test("pg_opfamily_is_visible", &[OID], "({1} = {1})"),
    test("pg_collation_is_visible", &[OID], "({1} = {1})"),
    test("pg_conversion_is_visible", &[OID], "({1} = {1})"),
    test("pg_statistics_obj_is_visible", &[OID], "({1} = {1})"),
    test("pg_ts_config_is_visible", &[OID], "({1} = {1})"),
    test("pg_ts_dict_is_visible", &[OID], "({1} = {1})"),
    test("pg_ts_parser_is_visible", &[OID], "({1} = {1})"),
    test("pg_ts_template_is_visible", &[OID], "({1} = {1})"),
    of(
        "pg_encoding_to_char",
        &[INT4],
        Type::NAME,
        "(CASE {1} WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' WHEN NULL THEN NULL ELSE '' END)",
    ),
    of(
        "pg_char_to_encoding",
        &[NAME],
        Type::INT4,
        "(CASE upper({1}) WHEN 'UTF8' THEN 6 WHEN 'UTF-8' THEN 6 WHEN 'UNICODE' THEN 6 ELSE -1 END)",
    ),
    size("pg_relation_size", &[REGCLASS]),
    size("pg_relation_size", &[REGCLASS, TEXT]),
    size("pg_table_size", &[REGCLASS]),
    size("pg_indexes_size", &[REGCLASS]),
    size("pg_total_relation_size", &[REGCLASS]),
    size("pg_database_size", &[NAME]),
    size("pg_database_size", &[OID]),
    size("pg_tablespace_size", &[NAME]),
    size("pg_tablespace_size", &[OID]),
    text("pg_size_pretty", &[INT8], "fl_pg_size_pretty({1})"),
    of("pg_relation_filenode", &[REGCLASS], Type::OID, "{1}"),
    test("pg_is_in_recovery", NOTHING, "0"),
    test("pg_is_other_temp_schema", &[OID], "0"),
    of("pg_my_temp_schema", NOTHING, Type::OID, "0"),
    test("row_security_active", &[OID], "0"),
    test("row_security_active", &[TEXT], "0"),
    test("pg_relation_is_publishable", &[REGCLASS], "fl_pg_relation_is_publishable({1})"),
    test(
        "pg_indexam_has_property",
        &[OID, TEXT],
        "(CASE WHEN {1} = 403 AND lower({2}) IN ('can_order', 'can_unique', 'can_multi_col', 'can_exclude', \
         'can_include') THEN 1 END)",
    ),
    of("current_schemas", &[BOOL], NAMES, "fl_pg_current_schemas({1})"),
    of("pg_blocking_pids", &[INT4], INT4S, "'[]'"),
    of("acldefault", &[CHAR, OID], ACL, "fl_pg_acldefault({1}, {2})"),
    of("to_regclass", &[TEXT], Type::REGCLASS, "fl_pg_to_regclass({1})"),
    of("to_regtype", &[TEXT], Type::REGTYPE, "fl_pg_to_regtype({1})"),
    of("to_regproc", &[TEXT], Type::REGPROC, "fl_pg_to_regproc({1})"),
    of("to_regnamespace", &[TEXT], Type::Scalar(Element::Regnamespace), "fl_pg_to_regnamespace({1})"),
    of("to_regrole", &[TEXT], Type::Scalar(Element::Regrole), "fl_pg_to_regrole({1})"),
    // No table has parts: no rows.
    stable(rows("pg_partition_ancestors", &[REGCLASS], Type::REGCLASS, "fl_series(1, 0, 1)")),
    stable(rows("pg_listening_channels", NOTHING, Type::TEXT, "fl_series(1, 0, 1)")),
];

const COUNT: usize = PRIVILEGES.len() * 6 + OTHERS.len();

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &all();

const fn all() -> [Function; COUNT] {
    let [[first, ..], ..] = PRIVILEGES;
    let mut all = [first; COUNT];
    let (mut at, mut of) = (0, 0);
    while of < PRIVILEGES.len() {
        let mut one = 0;
        while one < 6 {
            all[at] = PRIVILEGES[of][one];
            at += 1;
            one += 1;
        }
        of += 1;
    }
    let mut of = 0;
    while of < OTHERS.len() {
        all[at] = OTHERS[of];
        at += 1;
        of += 1;
    }
    all
}
