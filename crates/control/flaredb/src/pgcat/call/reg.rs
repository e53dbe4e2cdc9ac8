//! `regclass` and its like: in, out, and which names are seen.

use rusqlite::types::Value;

use super::{Looking, Seen, boolean, looking, oid};
use crate::base::rules::{Cast, CastContext};
use crate::base::types::{Element, Type};
use crate::base::{SqlError, SqlState};
use crate::functions::call::{Answer, Call};
use crate::functions::output::array_of_texts;
use crate::pgcat::{format_type, names, place, rows};

/// What SQLite calls.
pub(super) const LOOKING: &[Looking] = &[
    looking("fl_pg_regclass_in", 1, |call, seen| {
        number(names::regclass_of(&seen.catalog, &seen.settings, call.text(0)?))
    }),
    looking("fl_pg_regtype_in", 1, |call, seen| {
        number(names::regtype_of(&seen.catalog, &seen.settings, call.text(0)?))
    }),
    looking("fl_pg_regnamespace_in", 1, |call, seen| {
        number(names::regnamespace_of(&seen.catalog, call.text(0)?))
    }),
    looking("fl_pg_regrole_in", 1, |call, seen| number(names::regrole_of(&seen.catalog, call.text(0)?))),
    looking("fl_pg_regproc_in", 1, |call, _| number(names::regproc_of(call.text(0)?))),
    looking("fl_pg_to_regclass", 1, |call, seen| {
        found(names::regclass_of(&seen.catalog, &seen.settings, call.text(0)?))
    }),
    looking("fl_pg_to_regtype", 1, |call, seen| {
        found(names::regtype_of(&seen.catalog, &seen.settings, call.text(0)?))
    }),
    looking("fl_pg_to_regnamespace", 1, |call, seen| {
        found(names::regnamespace_of(&seen.catalog, call.text(0)?))
    }),
    looking("fl_pg_to_regrole", 1, |call, seen| found(names::regrole_of(&seen.catalog, call.text(0)?))),
    looking("fl_pg_to_regproc", 1, |call, _| found(names::regproc_of(call.text(0)?))),
    looking("fl_pg_regclass_text", 1, |call, seen| {
        Ok(names::regclass_name(&seen.catalog, &seen.settings, oid(call, 0)?).into())
    }),
    looking("fl_pg_regtype_text", 1, |call, seen| {
        Ok(names::regtype_name(&seen.catalog, &seen.settings, oid(call, 0)?).into())
    }),
    looking("fl_pg_regnamespace_text", 1, |call, seen| {
        Ok(names::regnamespace_name(&seen.catalog, oid(call, 0)?).into())
    }),
    looking("fl_pg_regrole_text", 1, |call, seen| {
        Ok(names::regrole_name(&seen.catalog, oid(call, 0)?).into())
    }),
    looking("fl_pg_regproc_text", 1, |call, _| Ok(names::regproc_name(oid(call, 0)?).into())),
    looking("fl_pg_format_type", 1, |call, seen| format(seen, oid(call, 0)?, None)),
    looking("fl_pg_format_type", 2, |call, seen| format(seen, oid(call, 0)?, Some(call.int32(1)?))),
    looking("fl_pg_table_is_visible", 1, table_is_visible),
    looking("fl_pg_type_is_visible", 1, type_is_visible),
    looking("fl_pg_function_is_visible", 1, |call, _| {
        Ok(rows::function_name(oid(call, 0)?).map_or(Value::Null, |_| boolean(true)))
    }),
    looking("fl_pg_current_schemas", 1, current_schemas),
];

fn number(oid: Result<u32, SqlError>) -> Answer {
    Ok(Value::Integer(oid?.into()))
}

/// NULL instead of an error, unless the text is no name at all.
fn found(oid: Result<u32, SqlError>) -> Answer {
    match oid {
        Err(error) if error.state == SqlState::INVALID_NAME => Err(error),
        oid => Ok(oid.map_or(Value::Null, |oid| Value::Integer(oid.into()))),
    }
}

fn format(seen: &Seen, oid: u32, typmod: Option<i32>) -> Answer {
    if place::relation_of_row_type(oid).is_some() {
        let name = names::regtype_name(&seen.catalog, &seen.settings, oid);
        return Ok(if name == oid.to_string() { "???".to_owned() } else { name }.into());
    }
    Ok(format_type::format_oid(oid, typmod).into())
}

fn table_is_visible(call: &Call<'_>, seen: &Seen) -> Answer {
    let oid = oid(call, 0)?;
    let Some((_, name)) = names::relation(&seen.catalog, oid) else { return Ok(Value::Null) };
    Ok(boolean(names::visible(&seen.catalog, &seen.settings, name) == Some(oid)))
}

fn type_is_visible(call: &Call<'_>, seen: &Seen) -> Answer {
    let oid = oid(call, 0)?;
    let Some(of) = place::relation_of_row_type(oid) else {
        return Ok(Type::from_oid(oid).map_or(Value::Null, |_| boolean(true)));
    };
    let Some((_, name)) = names::relation(&seen.catalog, of) else { return Ok(Value::Null) };
    Ok(boolean(names::visible(&seen.catalog, &seen.settings, name) == Some(of)))
}

fn current_schemas(call: &Call<'_>, seen: &Seen) -> Answer {
    let path = match call.bool(0)? {
        true => names::path(&seen.catalog, &seen.settings),
        false => names::given_path(&seen.catalog, &seen.settings),
    };
    Ok(array_of_texts(path.iter().map(|schema| Some(schema.as_str()))).into())
}

/// Between the `reg…` types and text: from, to and how.
pub(crate) fn casts() -> Vec<Cast> {
    const FORMS: [(Element, &str, &str); 5] = [
        (Element::Regclass, "fl_pg_regclass_text({1})", "fl_pg_regclass_in({1})"),
        (Element::Regtype, "fl_pg_regtype_text({1})", "fl_pg_regtype_in({1})"),
        (Element::Regproc, "fl_pg_regproc_text({1})", "fl_pg_regproc_in({1})"),
        (Element::Regnamespace, "fl_pg_regnamespace_text({1})", "fl_pg_regnamespace_in({1})"),
        (Element::Regrole, "fl_pg_regrole_text({1})", "fl_pg_regrole_in({1})"),
    ];
    let mut all = Vec::new();
    for (element, out, back) in FORMS {
        let own = Type::Scalar(element);
        for text in [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME] {
            // PostgreSQL lets a text be a relation anywhere, and nothing else.
            let anywhere = own == Type::REGCLASS && matches!(text, Type::TEXT | Type::VARCHAR);
            let context = if anywhere { CastContext::Implicit } else { CastContext::Explicit };
            all.push(Cast { from: own, to: text, context: CastContext::Assignment, emit: out });
            all.push(Cast { from: text, to: own, context, emit: back });
        }
    }
    all
}
