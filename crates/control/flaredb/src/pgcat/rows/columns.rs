//! `information_schema.columns`.

use rusqlite::types::Value;

use super::base::with_rows;
use super::cell::{Cell as _, Rows, yes};
use super::schema::bits;
use crate::base::catalog::{Column, Identity, SequenceOptions};
use crate::base::types::{ColumnType, Element, Type};
use crate::base::{Relation, RelationKind};
use crate::pgcat::definition::default_definition;
use crate::pgcat::world::World;
use crate::pgcat::{format_type, place, system};

/// The most bytes of a text, and of a character.
const LARGEST: i32 = 1 << 30;
const CHARACTER: i32 = 4;

/// What the standard says of a type.
#[derive(Default)]
struct Shape {
    characters: Option<i32>,
    octets: Option<i32>,
    precision: Option<i32>,
    radix: Option<i32>,
    scale: Option<i32>,
    fraction: Option<i32>,
    interval: Option<String>,
}

fn shape(ty: ColumnType) -> Shape {
    let binary = |bits| Shape { precision: Some(bits), radix: Some(2), ..Shape::default() };
    let fraction = |digits| Shape { fraction: Some(digits), ..Shape::default() };
    let Type::Scalar(element) = ty.ty else { return Shape::default() };
    match element {
        Element::Int2 | Element::Int4 | Element::Int8 => Shape { scale: Some(0), ..binary(bits(ty.ty)) },
        Element::Float4 => binary(24),
        Element::Float8 => binary(53),
        Element::Numeric if ty.typmod >= 0 => {
            let (precision, scale) = format_type::numeric(ty.typmod);
            Shape { precision: Some(precision), radix: Some(10), scale: Some(scale), ..Shape::default() }
        }
        Element::Numeric => Shape { radix: Some(10), ..Shape::default() },
        Element::Text => Shape { octets: Some(LARGEST), ..Shape::default() },
        Element::Varchar | Element::Bpchar => {
            let characters = format_type::longest(ty);
            let octets = characters.map_or(LARGEST, |count| count.saturating_mul(CHARACTER));
            Shape { characters, octets: Some(octets), ..Shape::default() }
        }
        Element::Date => fraction(0),
        Element::Time | Element::Timestamp | Element::Timestamptz if ty.typmod >= 0 => fraction(ty.typmod),
        Element::Time | Element::Timestamp | Element::Timestamptz => fraction(6),
        Element::Interval => interval(ty),
        _ => Shape::default(),
    }
}

fn interval(ty: ColumnType) -> Shape {
    const FULL: i32 = 0xffff;
    let precision = ty.typmod & FULL;
    let fields = format_type::format_type(ty).to_uppercase().strip_prefix("INTERVAL ").map(str::to_owned);
    let fraction = if ty.typmod < 0 || precision == FULL { 6 } else { precision };
    Shape { fraction: Some(fraction), interval: fields, ..Shape::default() }
}

/// `data_type`: arrays are one and the same, and types have no modifier.
fn words(ty: Type) -> String {
    match ty {
        Type::Scalar(_) => format_type::plain(ty),
        Type::Array(_) | Type::Int2Vector | Type::OidVector => "ARRAY".to_owned(),
    }
}

/// A column of any relation, named and placed.
struct Place<'a> {
    schema: &'a str,
    table: &'a str,
    column: &'a Column,
    updatable: bool,
    sequence: Option<&'a SequenceOptions>,
}

/// `information_schema.columns`.
pub(super) fn columns(world: &World<'_>, rows: &mut Rows) {
    for system in system::tables() {
        for ((name, ty), number) in system.columns.iter().zip(1..) {
            let column = plain((*name).to_owned(), number, *ty);
            let (schema, table) = (system.schema, system.name);
            one(world, &Place { schema, table, column: &column, updatable: false, sequence: None }, rows);
        }
    }
    for relation in with_rows(world) {
        for column in &relation.columns {
            let sequence = identity_sequence(world, relation, column);
            let (schema, table) = (relation.schema.as_str(), relation.name.as_str());
            let updatable = relation.kind == RelationKind::Table;
            one(world, &Place { schema, table, column, updatable, sequence }, rows);
        }
    }
}

fn plain(name: String, number: i16, ty: Type) -> Column {
    let ty = ColumnType::from(ty);
    Column {
        number,
        name,
        ty,
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    }
}

/// What an identity column counts by.
fn identity_sequence<'a>(
    world: &'a World<'_>,
    relation: &Relation,
    column: &Column,
) -> Option<&'a SequenceOptions> {
    column.identity?;
    match &place::sequence_of(world.catalog, relation.oid, column.number)?.kind {
        RelationKind::Sequence(options) => Some(options),
        _ => None,
    }
}

fn one(world: &World<'_>, place: &Place<'_>, rows: &mut Rows) {
    let column = place.column;
    let shape = shape(column.ty);
    let generated = column.generated.is_some();
    let definition = default_definition(column, false);
    let (default, expression) = if generated { (None, definition) } else { (definition, None) };
    let counted = |text: fn(&SequenceOptions) -> i64| place.sequence.map(|one| text(one).to_string());
    let cells: [(&'static str, Value); 32] = [
        ("table_catalog", world.settings.database.as_str().cell()),
        ("table_schema", place.schema.cell()),
        ("table_name", place.table.cell()),
        ("column_name", column.name.as_str().cell()),
        ("ordinal_position", column.number.cell()),
        ("column_default", default.cell()),
        ("is_nullable", yes(!column.not_null).cell()),
        ("data_type", words(column.ty.ty).cell()),
        ("character_maximum_length", shape.characters.cell()),
        ("character_octet_length", shape.octets.cell()),
        ("numeric_precision", shape.precision.cell()),
        ("numeric_precision_radix", shape.radix.cell()),
        ("numeric_scale", shape.scale.cell()),
        ("datetime_precision", shape.fraction.cell()),
        ("interval_type", shape.interval.cell()),
        ("interval_precision", Value::Null),
        ("udt_catalog", world.settings.database.as_str().cell()),
        ("udt_schema", "pg_catalog".cell()),
        ("udt_name", column.ty.ty.name().cell()),
        ("maximum_cardinality", Value::Null),
        ("dtd_identifier", column.number.to_string().cell()),
        ("is_self_referencing", "NO".cell()),
        ("is_identity", yes(column.identity.is_some()).cell()),
        ("identity_generation", column.identity.map(generation).cell()),
        ("identity_start", counted(|one| one.start).cell()),
        ("identity_increment", counted(|one| one.increment).cell()),
        ("identity_maximum", counted(|one| one.max).cell()),
        ("identity_minimum", counted(|one| one.min).cell()),
        ("identity_cycle", yes(place.sequence.is_some_and(|one| one.cycle)).cell()),
        ("is_generated", if generated { "ALWAYS" } else { "NEVER" }.cell()),
        ("generation_expression", expression.cell()),
        ("is_updatable", yes(place.updatable).cell()),
    ];
    rows.add(cells);
}

fn generation(identity: Identity) -> &'static str {
    match identity {
        Identity::Always => "ALWAYS",
        Identity::ByDefault => "BY DEFAULT",
    }
}
