//! Casts to and from text: by the types' own input and output, as PostgreSQL does for types without a row in
//! `pg_cast`. Those of the `reg…` types need the catalogue and are not here.

use crate::base::rules::{Cast, CastContext};
use crate::base::types::{Element, Type};

use CastContext::{Assignment, Explicit, Implicit};

/// The types of text that others turn into.
const STRINGS: [Type; 4] = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME];

/// Between types of text. `bpchar` is kept without its trailing blanks.
const BETWEEN: &[(Type, Type, CastContext, &str)] = &[
    (Type::TEXT, Type::VARCHAR, Implicit, "{1}"),
    (Type::TEXT, Type::BPCHAR, Implicit, "rtrim({1}, ' ')"),
    (Type::TEXT, Type::NAME, Implicit, "fl_name({1})"),
    (Type::TEXT, Type::CHAR, Assignment, "fl_char_in({1})"),
    (Type::VARCHAR, Type::TEXT, Implicit, "{1}"),
    (Type::VARCHAR, Type::BPCHAR, Implicit, "rtrim({1}, ' ')"),
    (Type::VARCHAR, Type::NAME, Implicit, "fl_name({1})"),
    (Type::VARCHAR, Type::CHAR, Assignment, "fl_char_in({1})"),
    (Type::BPCHAR, Type::TEXT, Implicit, "{1}"),
    (Type::BPCHAR, Type::VARCHAR, Implicit, "{1}"),
    (Type::BPCHAR, Type::NAME, Implicit, "fl_name({1})"),
    (Type::BPCHAR, Type::CHAR, Assignment, "fl_char_in({1})"),
    (Type::NAME, Type::TEXT, Implicit, "{1}"),
    (Type::NAME, Type::VARCHAR, Assignment, "{1}"),
    (Type::NAME, Type::BPCHAR, Assignment, "rtrim({1}, ' ')"),
    (Type::NAME, Type::CHAR, Explicit, "fl_char_in({1})"),
    (Type::CHAR, Type::TEXT, Implicit, "{1}"),
    (Type::CHAR, Type::VARCHAR, Assignment, "{1}"),
    (Type::CHAR, Type::BPCHAR, Assignment, "rtrim({1}, ' ')"),
    (Type::CHAR, Type::NAME, Assignment, "{1}"),
];

/// How a value of a type becomes text, and text a value. The zone and the like come with the evaluation.
const FORMS: &[(Element, &str, &str)] = &[
    (Element::Bool, "fl_bool_text({1})", "fl_bool_in({1})"),
    (Element::Int2, "CAST({1} AS TEXT)", "fl_int2_in({1})"),
    (Element::Int4, "CAST({1} AS TEXT)", "fl_int4_in({1})"),
    (Element::Int8, "CAST({1} AS TEXT)", "fl_int8_in({1})"),
    (Element::Float4, "fl_float4_text({1})", "fl_float4_in({1})"),
    (Element::Float8, "fl_float8_text({1})", "fl_float8_in({1})"),
    (Element::Numeric, "({1} COLLATE BINARY)", "fl_numeric_in({1})"),
    (Element::Bytea, "fl_bytea_text({1})", "fl_bytea_in({1})"),
    (Element::Uuid, "{1}", "fl_uuid_in({1})"),
    (Element::Timestamptz, "fl_timestamptz_text({1})", "fl_timestamptz_in({1})"),
    (Element::Timestamp, "fl_timestamp_text({1})", "fl_timestamp_in({1})"),
    (Element::Date, "fl_date_text({1})", "fl_date_in({1})"),
    (Element::Time, "fl_time_text({1})", "fl_time_in({1})"),
    (Element::Interval, "fl_interval_text({1})", "fl_interval_in({1})"),
    (Element::Json, "{1}", "fl_json_in({1})"),
    (Element::Jsonb, "({1} COLLATE BINARY)", "fl_jsonb_in({1})"),
    (Element::Oid, "CAST({1} AS TEXT)", "fl_oid_in({1})"),
    (Element::Xid, "CAST({1} AS TEXT)", "fl_oid_in({1})"),
];

/// Types whose text is all there is to them; they cannot be read from text.
const SHOWN: &[Element] = &[Element::NodeTree, Element::Aclitem, Element::Lsn];

/// Every one.
pub(crate) fn casts() -> Vec<Cast> {
    let mut all: Vec<Cast> = BETWEEN
        .iter()
        .map(|(from, to, context, emit)| Cast { from: *from, to: *to, context: *context, emit })
        .collect();
    for (element, out, back) in FORMS {
        all.extend(of_type(Type::Scalar(*element), out, back));
    }
    for element in SHOWN {
        all.extend(STRINGS.map(|to| Cast {
            from: Type::Scalar(*element),
            to,
            context: Assignment,
            emit: "{1}",
        }));
    }
    for element in Element::all().filter(|element| element.array_oid() != 0) {
        let ty = Type::Array(element);
        // Once in a process, for the table that lives as long.
        let out = format!("fl_array_text({}, {{1}})", ty.oid()).leak();
        let back = format!("fl_array_in({}, {{1}})", ty.oid()).leak();
        all.extend(of_type(ty, out, back));
    }
    all
}

/// To and from every type of text.
fn of_type(ty: Type, out: &'static str, back: &'static str) -> impl Iterator<Item = Cast> {
    let to = STRINGS.into_iter().map(move |to| Cast { from: ty, to, context: Assignment, emit: out });
    let from = STRINGS.into_iter().map(move |from| Cast { from, to: ty, context: Explicit, emit: back });
    to.chain(from)
}
