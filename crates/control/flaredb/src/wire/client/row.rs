//! One row: fields behind their lengths, written where they are sent from.

use crate::base::{SqlError, SqlState};

/// Takes the fields of a row, in order.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    out: &'a mut Vec<u8>,
    fields: u16,
}

impl<'a> Row<'a> {
    /// The body of a DataRow.
    pub(crate) fn write(
        out: &'a mut Vec<u8>,
        write: impl FnOnce(&mut Row<'_>) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        let mut row = Row { out, fields: 0 };
        write(&mut row)?;
        let fields = row.fields;
        out[start..start + 2].copy_from_slice(&fields.to_be_bytes());
        Ok(())
    }

    /// NULL.
    pub(crate) fn null(&mut self) {
        self.fields = self.fields.saturating_add(1);
        self.out.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A field that is encoded already.
    pub(crate) fn value(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        self.field(|out| {
            out.extend_from_slice(bytes);
            Ok(())
        })
    }

    /// A field that `encode` appends. It must not touch what is there already.
    pub(crate) fn field(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        self.fields = self.fields.saturating_add(1);
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        encode(self.out)?;
        let length = i32::try_from(self.out.len().saturating_sub(start + 4));
        let length =
            length.map_err(|_| SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a value is too long"))?;
        self.out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_behind_their_lengths_and_null_has_none() {
        let mut out = b"before".to_vec();
        Row::write(&mut out, |row| {
            row.value(b"ab")?;
            row.null();
            row.field(|out| {
                out.push(7);
                Ok(())
            })?;
            row.value(b"")
        })
        .unwrap();
        assert_eq!(out, b"before\0\x04\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\x01\x07\0\0\0\0");
    }
}
