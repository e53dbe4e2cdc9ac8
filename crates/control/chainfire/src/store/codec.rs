//! Rows of the store: unsigned LEB128 numbers and length-prefixed bytes.
//!
//! By hand because every put writes three of these rows and every read decodes one.

use super::error::StoreError;

/// Appends fields.
pub(crate) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Small numbers are short; negative ones take ten bytes.
    pub(crate) fn number(&mut self, number: i64) {
        prost::encoding::encode_varint(number.cast_unsigned(), self.0);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        prost::encoding::encode_varint(bytes.len() as u64, self.0);
        self.0.extend_from_slice(bytes);
    }

    /// The last field: everything that follows.
    pub(crate) fn rest(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Takes fields off the front.
pub(crate) struct Reader<'a> {
    table: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// `table` is named in errors.
    pub(crate) fn new(table: &'static str, row: &'a [u8]) -> Self {
        Self { table, left: row }
    }

    fn damaged(&self) -> StoreError {
        StoreError::Row(self.table)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, StoreError> {
        let (first, left) = self.left.split_first().ok_or_else(|| self.damaged())?;
        self.left = left;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<i64, StoreError> {
        let number = prost::encoding::decode_varint(&mut self.left).map_err(|_| self.damaged())?;
        Ok(number.cast_signed())
    }

    pub(crate) fn small(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.number()?).map_err(|_| self.damaged())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        let length = usize::try_from(self.number()?).map_err(|_| self.damaged())?;
        let (bytes, left) = self.left.split_at_checked(length).ok_or_else(|| self.damaged())?;
        self.left = left;
        Ok(bytes)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.left
    }
}
