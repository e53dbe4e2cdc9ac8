//! `pg_type` and `pg_cast`.

use super::base::with_rows;
use super::cell::{Rows, add};
use crate::base::rules::CastContext;
use crate::base::types::{Element, Type};
use crate::pgcat::typed::{Facts, ROW_CALLS, facts};
use crate::pgcat::world::World;
use crate::pgcat::{place, system};

/// Every type there is, and the array types.
fn all() -> impl Iterator<Item = Type> {
    let arrays = Element::all().filter(|element| element.array_oid() != 0).map(Type::Array);
    Element::all().map(Type::Scalar).chain(arrays).chain([Type::Int2Vector, Type::OidVector])
}

/// `pg_type`.
pub(super) fn types(world: &World<'_>, rows: &mut Rows) {
    let founder = place::role(world.catalog, &place::founder(world.catalog));
    for ty in all() {
        of_value(ty, founder, rows);
    }
    for system in system::tables() {
        of_row(system.oid, system.name, place::schema(world.catalog, system.schema), founder, rows);
    }
    for relation in with_rows(world) {
        let schema = place::schema(world.catalog, &relation.schema);
        let owner = place::role(world.catalog, &relation.owner);
        of_row(relation.oid, &relation.name, schema, owner, rows);
    }
}

/// `array_subscript_handler`, `raw_array_subscript_handler`, `jsonb_subscript_handler`.
fn subscript(ty: Type) -> u32 {
    match ty {
        Type::Array(_) => 6179,
        Type::Int2Vector | Type::OidVector => 6179,
        Type::NAME => 6180,
        Type::JSONB => 6098,
        Type::Scalar(_) => 0,
    }
}

fn element(ty: Type) -> u32 {
    match ty {
        Type::NAME => Type::CHAR.oid(),
        ty => ty.element().map_or(0, Element::oid),
    }
}

fn array(ty: Type) -> u32 {
    match ty {
        Type::Scalar(element) => element.array_oid(),
        Type::Int2Vector => 1006,
        Type::OidVector => 1013,
        Type::Array(_) => 0,
    }
}

fn of_value(ty: Type, owner: u32, rows: &mut Rows) {
    let Facts { category, preferred, by_value, alignment, storage, collation, calls } = facts(ty);
    let pseudo = matches!(ty, Type::UNKNOWN | Type::VOID | Type::RECORD | Type::Array(Element::Record));
    let [(_, input), (_, output), (_, receive), (_, send)] = calls;
    add!(rows;
        oid: ty.oid(),
        typname: ty.name(),
        typnamespace: place::PG_CATALOG,
        typowner: owner,
        typlen: ty.size(),
        typbyval: by_value,
        typtype: if pseudo { 'p' } else { 'b' },
        typcategory: if pseudo && ty != Type::UNKNOWN { "P" } else { category },
        typispreferred: preferred,
        typisdefined: true,
        typdelim: ',',
        typsubscript: subscript(ty),
        typelem: element(ty),
        typarray: array(ty),
        typinput: input,
        typoutput: output,
        typreceive: receive,
        typsend: send,
        typalign: alignment,
        typstorage: storage,
        typtypmod: -1,
        typcollation: collation,
    );
}

/// The type of a relation's rows.
fn of_row(relation: u32, name: &str, schema: u32, owner: u32, rows: &mut Rows) {
    let [(_, input), (_, output), (_, receive), (_, send)] = ROW_CALLS;
    add!(rows;
        oid: place::row_type(relation),
        typname: name,
        typnamespace: schema,
        typowner: owner,
        typlen: -1,
        typtype: 'c',
        typcategory: 'C',
        typisdefined: true,
        typdelim: ',',
        typrelid: relation,
        typinput: input,
        typoutput: output,
        typreceive: receive,
        typsend: send,
        typalign: 'd',
        typstorage: 'x',
        typtypmod: -1,
    );
}

/// `pg_cast`: those that are not by way of text.
pub(super) fn casts(_world: &World<'_>, rows: &mut Rows) {
    const FIRST: u32 = 10100;
    let own = crate::functions::casts().iter().filter(|cast| {
        let plain = |ty: Type| matches!(ty, Type::Scalar(_));
        plain(cast.from) && plain(cast.to)
    });
    for (cast, oid) in own.zip(FIRST..) {
        add!(rows;
            oid: oid,
            castsource: cast.from.oid(),
            casttarget: cast.to.oid(),
            castcontext: match cast.context {
                CastContext::Explicit => 'e',
                CastContext::Assignment => 'a',
                CastContext::Implicit => 'i',
            },
            castmethod: if cast.emit == "{1}" { 'b' } else { 'i' },
        );
    }
}
