//! Values that clients bind, and rows as they see them.

use rusqlite::types::{Value, ValueRef};

use crate::base::{Settings, SqlError, SqlState, Type};
use crate::sql::plan::OutputColumn;
use crate::value::time::Clock;
use crate::wire::{Field, Format, Formats, Parameters, Row};

/// Values as they are kept, of these types. Errors: 22P02, 22P03, 22021 and what each type says.
pub(super) fn values(
    parameters: &Parameters<'_>,
    types: &[Type],
    clock: &Clock<'_>,
) -> Result<Vec<Value>, SqlError> {
    let pairs = parameters.iter().zip(types).enumerate();
    pairs
        .map(|(place, (parameter, ty))| {
            let Some(bytes) = parameter.value else { return Ok(Value::Null) };
            let value = match parameter.format {
                Format::Binary => crate::value::from_binary(*ty, bytes),
                Format::Text => {
                    crate::value::text_from(bytes).and_then(|text| crate::value::from_text(*ty, text, clock))
                }
            };
            value.map_err(|error| in_parameter(error, place + 1))
        })
        .collect()
}

fn in_parameter(mut error: SqlError, number: usize) -> SqlError {
    if error.state == SqlState::INVALID_BINARY_REPRESENTATION {
        error.message = format!("{} in bind parameter {number}", error.message);
    }
    error
}

/// A column as RowDescription tells it.
pub(super) fn field(column: &OutputColumn) -> Field {
    let (table, number) = column.origin.unwrap_or((0, 0));
    // An undecided column would be a text to every driver.
    let ty = if column.ty.ty == Type::UNKNOWN { Type::TEXT } else { column.ty.ty };
    Field {
        name: column.name.clone(),
        table,
        column: number,
        ty: ty.oid(),
        size: ty.size(),
        modifier: column.ty.typmod,
    }
}

/// One row.
pub(super) fn write<'v>(
    row: &mut Row<'_>,
    columns: &[OutputColumn],
    formats: &Formats,
    settings: &Settings,
    mut next: impl FnMut(usize) -> Result<ValueRef<'v>, SqlError>,
) -> Result<(), SqlError> {
    for (place, column) in columns.iter().enumerate() {
        match next(place)? {
            ValueRef::Null => row.null(),
            value => row.field(|out| match formats.get(place) {
                Format::Text => crate::value::to_text(column.ty.ty, value, settings, out),
                Format::Binary => crate::value::to_binary(column.ty.ty, value, out),
            })?,
        }
    }
    Ok(())
}
