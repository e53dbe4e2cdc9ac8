use super::*;
use crate::sql::session::{Direction, Isolation, Modes, SetTo};

fn only(sql: &str) -> Statement {
    let mut parsed = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(parsed.len(), 1, "{sql}");
    mem::replace(&mut parsed[0].statement, Statement::Empty)
}

fn session_of(sql: &str) -> Session {
    match only(sql) {
        Statement::Session(session) => session,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn a_string_is_split_at_its_semicolons() {
    for (sql, texts) in [
        ("", &[""][..]),
        (";", &[""]),
        ("select 1", &["select 1"]),
        ("select 1;", &["select 1"]),
        ("select ';' ; select 2 -- ;\n", &["select ';'", "select 2"]),
        ("select 1;;select 2", &["select 1", "", "select 2"]),
    ] {
        let parsed = parse(sql).unwrap();
        let found: Vec<&str> = parsed.iter().map(Parsed::text).collect();
        assert_eq!(found, texts, "{sql}");
    }
}

#[test]
#[ignore = "what it tests is still being written"]
fn syntax_errors_are_in_the_words_of_postgresql() {
    for (sql, message, position) in [
        ("selec 1", "syntax error at or near \"selec\"", 1),
        ("select * from", "syntax error at end of input", 14),
        ("select from from t", "syntax error at or near \"from\"", 13),
        ("select 'abc", "unterminated quoted string at or near \"'abc\"", 8),
        ("select \"abc", "unterminated quoted identifier at or near \"\"abc\"", 8),
        ("select 1 /* x", "unterminated /* comment at or near \"/* x\"", 10),
        ("select 1; selec 2", "syntax error at or near \"selec\"", 11),
        ("create table (a int)", "syntax error at or near \"(\"", 14),
        ("create table t (a int", "syntax error at end of input", 22),
        ("commit bogus", "syntax error at or near \"bogus\"", 8),
        ("select 1 1", "syntax error at or near \"1\"", 10),
        ("drop bogus x", "syntax error at or near \"bogus\"", 6),
    ] {
        let error = parse(sql).unwrap_err();
        assert_eq!((error.message.as_str(), error.position), (message, Some(position)), "{sql}");
        assert_eq!(error.state, SqlState::SYNTAX_ERROR, "{sql}");
    }
}

#[test]
fn transactions_carry_their_modes() {
    let modes = Modes { isolation: Some(Isolation::Serializable), read_only: Some(true), deferrable: None };
    assert_eq!(
        session_of("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY"),
        Session::Begin { modes, start: false }
    );
    assert_eq!(session_of("start transaction"), Session::Begin { modes: Modes::default(), start: true });
    assert_eq!(session_of("end"), Session::Commit { chain: false });
    assert_eq!(session_of("abort and chain"), Session::Rollback { chain: true });
    assert_eq!(session_of("rollback to savepoint s"), Session::RollbackTo("s".to_owned()));
    assert_eq!(session_of("release s"), Session::Release("s".to_owned()));
    assert_eq!(parse("prepare transaction 'x'").unwrap_err().state, SqlState::FEATURE_NOT_SUPPORTED);
}

#[test]
fn settings_are_told_as_they_were_written() {
    let set = |name: &str, values: &[&str], local| Session::Set {
        name: name.to_owned(),
        to: SetTo::Values(values.iter().map(|&value| value.to_owned()).collect()),
        local,
    };
    for (sql, session) in [
        ("set x = 1", set("x", &["1"], false)),
        ("set local Search_Path to a, \"B\"", set("search_path", &["a", "B"], true)),
        ("set session a.b = 'x'", set("a.b", &["x"], false)),
        ("set time zone 'UTC'", set("timezone", &["UTC"], false)),
        ("set names 'utf8'", set("client_encoding", &["utf8"], false)),
        ("set extra_float_digits = -1", set("extra_float_digits", &["-1"], false)),
        ("set x to default", Session::Set { name: "x".to_owned(), to: SetTo::Default, local: false }),
        ("show transaction isolation level", Session::Show(Some("transaction_isolation".to_owned()))),
        ("reset all", Session::Reset(None)),
        ("set role none", Session::SetRole { role: None, local: false }),
    ] {
        assert_eq!(session_of(sql), session, "{sql}");
    }
}

#[test]
fn cursors_go_where_they_are_told() {
    let fetch = |direction, only_move| Session::Fetch { cursor: "c".to_owned(), direction, only_move };
    for (sql, session) in [
        ("fetch c", fetch(Direction::Forward(1), false)),
        ("fetch 5 from c", fetch(Direction::Forward(5), false)),
        ("fetch forward all in c", fetch(Direction::ForwardAll, false)),
        ("fetch backward 2 from c", fetch(Direction::Forward(-2), false)),
        ("move last c", fetch(Direction::Absolute(-1), true)),
        ("fetch all c", fetch(Direction::ForwardAll, false)),
        ("fetch absolute -1 c", fetch(Direction::Absolute(-1), false)),
    ] {
        assert_eq!(session_of(sql), session, "{sql}");
    }
}

#[test]
fn what_is_common_and_not_understood_by_sqlparser_parses() {
    for sql in [
        "select a from t where b operator(pg_catalog.~) '^(x)$' collate pg_catalog.default",
        "select a from t where a not like any ($1)",
        "select * from t for no key update of t nowait",
        "vacuum analyze t (a)",
        "vacuum (full, verbose off) t",
        "create table t (a int) with (fillfactor=100)",
        "select a isnull, b notnull from t",
        "select 1 between symmetric 3 and 0",
        "select -2 ^ 2, - a::int",
        "values (1), (2)",
        "table t",
        "create table t as select 1",
        "create table t (a, b) as select 1, 2 with no data",
        "explain (analyze, raft, format json) select 1",
        "copy t (a, b) from stdin with (format csv, header true, null '')",
        "copy (select 1) to stdout csv header",
        "comment on column s.t.a is 'x'",
        "grant select, insert on t to public with grant option",
        "revoke all on all tables in schema public from bob cascade",
        "create index concurrently if not exists i on t using btree (lower(a) desc nulls last, b) where a > 1",
        "alter table t add column a int not null default 1 + 1, drop column b cascade",
        "create role r with login password 'x' valid until '2030-01-01'",
        "lock table a, b in share row exclusive mode nowait",
    ] {
        only(sql);
    }
}

#[test]
fn what_is_not_here_is_known_by_name() {
    for (sql, name) in [
        ("create function f() returns int language sql as $$ select 1 $$", "CREATE FUNCTION"),
        ("create trigger t before insert on x execute function f()", "CREATE TRIGGER"),
        ("create extension pgcrypto", "CREATE EXTENSION"),
        ("create temp table t (a int)", "a temporary object"),
        ("do $$ begin end $$", "DO"),
        ("create materialized view v as select 1", "CREATE MATERIALIZED VIEW"),
        ("create table p (a int) partition by range (a)", "a partitioned table"),
    ] {
        assert_eq!(only(sql), Statement::Unsupported(name.to_owned()), "{sql}");
    }
}

#[test]
fn the_highest_parameter_is_known_and_bounded() {
    assert_eq!(parse("select $3, $1").unwrap()[0].parameters(), 3);
    for sql in ["select $0", "select $65536", "select $99999999999"] {
        assert_eq!(parse(sql).unwrap_err().state, SqlState::UNDEFINED_PARAMETER, "{sql}");
    }
}

#[test]
fn nesting_is_bounded_before_anything_recurses() {
    let deep = 10_000;
    let wrap = |open: &str, middle: &str, close: &str| {
        format!("select {}{middle}{}", open.repeat(deep), close.repeat(deep))
    };
    for sql in [
        wrap("(", "1", ")"),
        wrap("not ", "true", ""),
        wrap("- ", "1", ""),
        wrap("case when true then ", "1", " end"),
        wrap("(select ", "1", ")"),
        wrap("array[", "1", "]"),
        wrap("f(", "1", ")"),
        format!("select 1{}", " + 1".repeat(100_000)),
        format!("select true{}", " and true".repeat(100_000)),
        format!("select 1{}", " union all select 1".repeat(100_000)),
        format!("select 1{}", "::int".repeat(100_000)),
        format!("select * from t{}", " cross join t".repeat(100_000)),
    ] {
        let error = parse(&sql).unwrap_err();
        assert_eq!(error.state, SqlState::STATEMENT_TOO_COMPLEX, "{}…", &sql[..40]);
    }
}

#[test]
fn chains_within_the_limit_are_parsed_and_dropped_on_a_small_stack() {
    let work = || {
        for sql in [
            format!("select 1{}", " + 1".repeat(9_000)),
            format!("select true{}", " and true".repeat(9_000)),
            format!("select 1{}", "::int".repeat(9_000)),
            format!("select 1{} )", " + 1".repeat(9_000)),
            format!("select {}1{}", "(".repeat(98), ")".repeat(98)),
            format!("select {}1{}", "case when true then ".repeat(98), " end".repeat(98)),
            format!("select {}1{}", "(select ".repeat(98), ")".repeat(98)),
        ] {
            drop(parse(&sql));
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn too_long_is_refused_unless_it_brings_rows() {
    let limits = Limits { statement: 100, bulk: 1000, ..Limits::default() };
    let long = "x".repeat(200);
    let select = format!("select '{long}'");
    assert_eq!(parse_within(&select, &limits).unwrap_err().state, SqlState::PROGRAM_LIMIT_EXCEEDED);
    assert!(parse_within(&format!("insert into t values ('{long}')"), &limits).is_ok());
    let limits = Limits { tokens: 50, ..Limits::default() };
    assert!(parse_within(&format!("select '{}'", ",".repeat(100)), &limits).is_ok());
    let error = parse_within(&format!("select 1{}", ",1".repeat(100)), &limits).unwrap_err();
    assert_eq!(error.state, SqlState::PROGRAM_LIMIT_EXCEEDED);
}
