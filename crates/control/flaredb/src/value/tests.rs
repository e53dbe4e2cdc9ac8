//! Text and binary forms against what PostgreSQL 15 says.

use super::{from_binary, from_text, time::Clock, to_binary, to_text};
use crate::base::types::{ColumnType, Element, Type};
use crate::base::{Settings, SqlState};
use jiff::tz::TimeZone;
use rusqlite::types::{Value, ValueRef};

/// A type, a text, the text that comes back, and the binary form in hexadecimal digits.
const FORMS: &[(Type, &str, &str, &str)] = &[
    (Type::BOOL, "t", "t", "01"),
    (Type::INT2, "-2", "-2", "fffe"),
    (Type::INT4, "70000", "70000", "00011170"),
    (Type::INT8, "-9000000000", "-9000000000", "fffffffde78ee600"),
    (Type::FLOAT4, "1.5", "1.5", "3fc00000"),
    (Type::FLOAT8, "-0.1", "-0.1", "bfb999999999999a"),
    (Type::TEXT, "aé", "aé", "61c3a9"),
    (Type::BYTEA, "\\x00ff", "\\x00ff", "00ff"),
    (
        Type::UUID,
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    ),
    (Type::JSON, "{\"a\" : 1}", "{\"a\" : 1}", "7b226122203a20317d"),
    (Type::JSONB, "{\"a\": 1}", "{\"a\": 1}", "017b2261223a20317d"),
    (Type::OID, "4294967295", "4294967295", "ffffffff"),
    (Type::NAME, "abc", "abc", "616263"),
    (Type::CHAR, "x", "x", "78"),
    (Type::NUMERIC, "0", "0", "0000000000000000"),
    (Type::NUMERIC, "1", "1", "00010000000000000001"),
    (Type::NUMERIC, "-1", "-1", "00010000400000000001"),
    (Type::NUMERIC, "10000", "10000", "00010001000000000001"),
    (Type::NUMERIC, "0.0001", "0.0001", "0001ffff000000040001"),
    (Type::NUMERIC, "123456789.012345", "123456789.012345", "0005000200000006000109291a85007b1194"),
    (Type::NUMERIC, "-99999.50", "-99999.50", "00030001400000020009270f1388"),
    (Type::NUMERIC, "1e20", "100000000000000000000", "00010005000000000001"),
    (Type::NUMERIC, "0.00000000001", "0.00000000001", "0001fffd0000000b000a"),
    (Type::NUMERIC, "0.10", "0.10", "0001ffff0000000203e8"),
    (Type::NUMERIC, "NaN", "NaN", "00000000c0000000"),
    (Type::NUMERIC, "Infinity", "Infinity", "00000000d0000020"),
    (Type::NUMERIC, "-Infinity", "-Infinity", "00000000f0000020"),
    (Type::NUMERIC, "100000000", "100000000", "00010002000000000001"),
    (
        Type::NUMERIC,
        "1234567890123456789012345678901234567890.5",
        "1234567890123456789012345678901234567890.5",
        "000b00090000000104d2162e23340d801ed204d2162e23340d801ed21388",
    ),
    (Type::NUMERIC, "0.000", "0.000", "0000000000000003"),
    (
        Type::Array(Element::Int4),
        "{1,NULL,3}",
        "{1,NULL,3}",
        "00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003",
    ),
    (Type::Array(Element::Int4), "{}", "{}", "000000000000000000000017"),
    (
        Type::Array(Element::Text),
        "{{a,b},{c,\"d e\"}}",
        "{{a,b},{c,\"d e\"}}",
        "0000000200000000000000190000000200000001000000020000000100000001610000000162000000016300000003642065",
    ),
    (
        Type::Array(Element::Numeric),
        "{1.5}",
        "{1.5}",
        "0000000100000000000006a400000001000000010000000c000200000000000100011388",
    ),
    (
        Type::Array(Element::Float8),
        "{1.5,Infinity}",
        "{1.5,Infinity}",
        "0000000100000000000002bd0000000200000001000000083ff8000000000000000000087ff0000000000000",
    ),
    (
        Type::Array(Element::Bytea),
        "{\"\\\\x01\"}",
        "{\"\\\\x01\"}",
        "00000001000000000000001100000001000000010000000101",
    ),
    (
        Type::Array(Element::Bool),
        "{t,f}",
        "{t,f}",
        "000000010000000000000010000000020000000100000001010000000100",
    ),
];

fn read(ty: Type, text: &str) -> Result<Value, crate::base::SqlError> {
    from_text(ty, text, &Clock { now: 0, zone: &TimeZone::UTC })
}

fn shown(ty: Type, value: &Value, settings: &Settings) -> String {
    let mut out = Vec::new();
    to_text(ty, ValueRef::from(value), settings, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_form_leads_to_the_others() {
    for (ty, text, expected, bytes) in FORMS {
        let value = read(*ty, text).unwrap();
        assert_eq!(shown(*ty, &value, &Settings::default()), *expected, "{ty:?}");
        let mut out = Vec::new();
        to_binary(*ty, ValueRef::from(&value), &mut out).unwrap();
        assert_eq!(crate::functions::text::bytes::hex(&out), *bytes, "{ty:?} {text}");
        assert_eq!(from_binary(*ty, &out).unwrap(), value, "{ty:?} {text}");
    }
}

#[test]
fn moments_count_from_2000() {
    for (ty, kept, bytes) in [
        (Type::TIMESTAMPTZ, 946_684_800_000_001, "0000000000000001"),
        (Type::TIMESTAMP, 0, "fffca2fec4c82000"),
        (Type::TIMESTAMP, i64::MAX, "7fffffffffffffff"),
        (Type::TIMESTAMP, i64::MIN, "8000000000000000"),
        (Type::DATE, 0, "ffffd533"),
        (Type::DATE, i64::from(i32::MAX), "7fffffff"),
        (Type::TIME, 1_000_000, "00000000000f4240"),
    ] {
        let mut out = Vec::new();
        to_binary(ty, ValueRef::Integer(kept), &mut out).unwrap();
        assert_eq!(crate::functions::text::bytes::hex(&out), bytes, "{ty:?} {kept}");
        assert_eq!(from_binary(ty, &out).unwrap(), Value::Integer(kept));
    }
    let mut out = Vec::new();
    to_binary(Type::INTERVAL, ValueRef::Text(b"1 2 3"), &mut out).unwrap();
    assert_eq!(crate::functions::text::bytes::hex(&out), "00000000000000030000000200000001");
    assert_eq!(from_binary(Type::INTERVAL, &out).unwrap(), Value::Text("1 2 3".to_owned()));
}

#[test]
fn vectors_count_from_zero() {
    let value = read(Type::Int2Vector, " 1 2  3").unwrap();
    assert_eq!(value, Value::Text("[1,2,3]".to_owned()));
    assert_eq!(shown(Type::Int2Vector, &value, &Settings::default()), "1 2 3");
    let mut out = Vec::new();
    to_binary(Type::OidVector, ValueRef::Text(b"[26]"), &mut out).unwrap();
    let expected = "00000001000000000000001a0000000100000000000000040000001a";
    assert_eq!(crate::functions::text::bytes::hex(&out), expected);
}

#[test]
fn damaged_bytes_are_refused() {
    for (ty, bytes) in [
        (Type::INT4, &b"123"[..]),
        (Type::INT4, b"12345"),
        (Type::NUMERIC, b"\0\x01"),
        (Type::NUMERIC, b"\0\x02\0\0\0\0\0\0\0\x01"),
        (Type::JSONB, b"\x02{}"),
        (Type::UUID, b"0"),
        (Type::Array(Element::Int4), b"\0\0\0\x09\0\0\0\0\0\0\0\x17"),
        (Type::Array(Element::Int4), b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01"),
    ] {
        assert_eq!(
            from_binary(ty, bytes).unwrap_err().state,
            SqlState::INVALID_BINARY_REPRESENTATION,
            "{ty:?}"
        );
    }
    let error = from_binary(Type::TEXT, b"a\xffb").unwrap_err();
    assert_eq!(error.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
    let error = from_binary(Type::TEXT, b"a\0b").unwrap_err();
    assert_eq!(error.message, "invalid byte sequence for encoding \"UTF8\": 0x00");
}

#[test]
fn settings_decide_what_is_shown() {
    let fewer = Settings { extra_float_digits: 0, bytea_escape: true, ..Settings::default() };
    assert_eq!(shown(Type::FLOAT8, &Value::Real(0.1 + 0.2), &fewer), "0.3");
    assert_eq!(shown(Type::FLOAT8, &Value::Real(0.1 + 0.2), &Settings::default()), "0.30000000000000004");
    assert_eq!(shown(Type::FLOAT8, &Value::Real(1e15), &fewer), "1e+15");
    assert_eq!(shown(Type::FLOAT4, &Value::Real(f64::from(1.0_f32 / 3.0)), &fewer), "0.333333");
    assert_eq!(shown(Type::BYTEA, &Value::Blob(b"a\\\x01".to_vec()), &fewer), "a\\\\\\001");
}

#[test]
fn types_are_called_as_in_postgresql() {
    for (ty, typmod, expected) in [
        (Type::BOOL, -1, "boolean"),
        (Type::INT2, -1, "smallint"),
        (Type::INT4, -1, "integer"),
        (Type::INT8, -1, "bigint"),
        (Type::FLOAT4, -1, "real"),
        (Type::FLOAT8, -1, "double precision"),
        (Type::NUMERIC, -1, "numeric"),
        (Type::NUMERIC, 655366, "numeric(10,2)"),
        (Type::NUMERIC, 198658, "numeric(3,-2)"),
        (Type::VARCHAR, 24, "character varying(20)"),
        (Type::VARCHAR, -1, "character varying"),
        (Type::BPCHAR, 7, "character(3)"),
        (Type::BPCHAR, -1, "bpchar"),
        (Type::TEXT, -1, "text"),
        (Type::CHAR, -1, "\"char\""),
        (Type::NAME, -1, "name"),
        (Type::TIMESTAMPTZ, -1, "timestamp with time zone"),
        (Type::TIMESTAMPTZ, 3, "timestamp(3) with time zone"),
        (Type::TIMESTAMP, 0, "timestamp(0) without time zone"),
        (Type::TIME, 3, "time(3) without time zone"),
        (Type::TIME, -1, "time without time zone"),
        (Type::DATE, -1, "date"),
        (Type::INTERVAL, -1, "interval"),
        (Type::INTERVAL, 2147418115, "interval(3)"),
        (Type::INTERVAL, 470286338, "interval day to second(2)"),
        (Type::INTERVAL, 458751, "interval year to month"),
        (Type::INTERVAL, 67174399, "interval hour"),
        (Type::Array(Element::Int4), -1, "integer[]"),
        (Type::Array(Element::Varchar), 9, "character varying(5)[]"),
        (Type::Array(Element::Numeric), 327685, "numeric(5,1)[]"),
        (Type::JSONB, -1, "jsonb"),
        (Type::UUID, -1, "uuid"),
        (Type::BYTEA, -1, "bytea"),
        (Type::OID, -1, "oid"),
        (Type::REGCLASS, -1, "regclass"),
        (Type::Int2Vector, -1, "int2vector"),
    ] {
        assert_eq!(super::format_type(ColumnType { ty, typmod }), expected);
    }
}

#[test]
fn what_is_too_long_is_cut_or_refused() {
    let fit = |ty, typmod, text: &str, explicit| {
        super::fit(ColumnType { ty, typmod }, Value::Text(text.to_owned()), explicit)
    };
    assert_eq!(fit(Type::VARCHAR, 7, "abcd", true).unwrap(), Value::Text("abc".to_owned()));
    assert_eq!(fit(Type::VARCHAR, 7, "abc  ", false).unwrap(), Value::Text("abc".to_owned()));
    assert_eq!(fit(Type::VARCHAR, 7, "éèàü", true).unwrap(), Value::Text("éèà".to_owned()));
    let error = fit(Type::VARCHAR, 7, "abcd", false).unwrap_err();
    assert_eq!(error.message, "value too long for type character varying(3)");
    let error = fit(Type::BPCHAR, 7, "abcd", false).unwrap_err();
    assert_eq!(error.message, "value too long for type character(3)");
    let error = fit(Type::NUMERIC, (5 << 16 | 2) + 4, "1000", false).unwrap_err();
    assert_eq!(error.state, SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    let detail = "A field with precision 5, scale 2 must round to an absolute value less than 10^3.";
    assert_eq!(error.detail.as_deref(), Some(detail));
    let array = fit(Type::Array(Element::Numeric), (5 << 16 | 2) + 4, "[\"1.005\",null]", false);
    assert_eq!(array.unwrap(), Value::Text("[\"1.01\",null]".to_owned()));
}

#[test]
fn what_lies_deep_is_read_or_refused() {
    for (depth, is_read) in [(1000, true), (1001, false), (1_000_000, false)] {
        for (open, close, inside) in [("[", "]", ""), ("{\"a\":", "}", "1")] {
            let text = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
            match super::json::canonical(&text) {
                Ok(kept) => {
                    assert!(is_read);
                    assert!(super::json::order::compare(&kept, &format!("[{kept}]")).is_ne());
                }
                Err(error) => assert_eq!((is_read, error.state), (false, SqlState::STATEMENT_TOO_COMPLEX)),
            }
        }
    }
}

#[test]
fn whatever_is_refused_is_refused_without_a_panic() {
    let odd = [
        "",
        " ",
        "-",
        "{",
        "}",
        "[",
        "\"",
        "\\",
        "é",
        "\u{0}",
        "{\"",
        "[1:",
        "\\x",
        "1e",
        "1e99999999999",
        ".",
        "NaN",
        "{,",
    ];
    for element in Element::all() {
        for text in odd {
            let _ = read(Type::Scalar(element), text);
            let _ = read(Type::Array(element), text);
            let _ = from_binary(Type::Scalar(element), text.as_bytes());
            let _ = from_binary(Type::Array(element), text.as_bytes());
        }
    }
}
