//! What a statement may ask about where it runs. What needs the catalogue or the session is not here.

use crate::base::rules::{Function, Pattern};
use crate::base::types::{Element, Type};

use crate::functions::shape::{ANY, function, stable, volatile};

const REGTYPE: Type = Type::REGTYPE;
const NONE: &[Pattern] = &[];

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &[
    stable(function("pg_typeof", &[ANY], REGTYPE, "{t1}")),
    volatile(function("gen_random_uuid", NONE, Type::UUID, "fl_uuid_random()")),
    stable(function("pg_client_encoding", NONE, Type::Scalar(Element::Name), "'UTF8'")),
    stable(function("getdatabaseencoding", NONE, Type::Scalar(Element::Name), "'UTF8'")),
];
