//! How `COPY` writes and reads rows: the options, as both directions need them.

/// The form of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    #[default]
    Text,
    Csv,
}

/// Which columns an option is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Columns {
    #[default]
    None,
    All,
    /// By name.
    These(Vec<String>),
}

/// Options of `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub(crate) format: CopyFormat,
    /// The first line names the columns.
    pub(crate) header: bool,
    /// And must name them rightly.
    pub(crate) header_match: bool,
    pub(crate) delimiter: char,
    /// What stands for NULL.
    pub(crate) null: String,
    pub(crate) quote: char,
    pub(crate) escape: char,
    pub(crate) force_quote: Columns,
    pub(crate) force_not_null: Columns,
    pub(crate) force_null: Columns,
}

impl CopyOptions {
    /// What a format has if nothing is said.
    pub(crate) fn of(format: CopyFormat) -> Self {
        let (delimiter, null) = match format {
            CopyFormat::Text => ('\t', "\\N"),
            CopyFormat::Csv => (',', ""),
        };
        Self {
            format,
            header: false,
            header_match: false,
            delimiter,
            null: null.to_owned(),
            quote: '"',
            escape: '"',
            force_quote: Columns::None,
            force_not_null: Columns::None,
            force_null: Columns::None,
        }
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self::of(CopyFormat::Text)
    }
}
