//! One set of rows, five ways to print it.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::Value;

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for a person.
    #[default]
    Table,
    /// The same with every column.
    Wide,
    /// A JSON array.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names only, one a line.
    Name,
}

/// A column of the table and the field it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    field: &'static str,
    only_wide: bool,
}

impl Column {
    /// Shown in every table.
    pub(crate) const fn always(title: &'static str, field: &'static str) -> Self {
        Self { title, field, only_wide: false }
    }

    /// Shown by `-o wide`.
    pub(crate) const fn wide(title: &'static str, field: &'static str) -> Self {
        Self { title, field, only_wide: true }
    }
}

/// What a verb found: rows for stdout, complaints for stderr and the exit status.
#[derive(Debug)]
pub(crate) struct Report {
    columns: &'static [Column],
    name: &'static str,
    /// Flat JSON objects.
    pub(crate) rows: Vec<Value>,
    /// What is wrong, in sentences.
    pub(crate) complaints: Vec<String>,
    /// What JSON and YAML show instead of the rows, where those would lose something.
    pub(crate) document: Option<Value>,
}

impl Report {
    /// An empty report; `name` is the field that `-o name` prints.
    pub(crate) fn new(columns: &'static [Column], name: &'static str) -> Self {
        Self { columns, name, rows: Vec::new(), complaints: Vec::new(), document: None }
    }

    /// The text, with its last line ended.
    pub(crate) fn render(&self, format: Format) -> String {
        match format {
            Format::Table => self.table(false),
            Format::Wide => self.table(true),
            // YAML 1.2 contains JSON.
            Format::Json | Format::Yaml if self.document.is_some() => {
                format!("{:#}\n", self.document.as_ref().unwrap_or(&Value::Null))
            }
            Format::Json => format!("{:#}\n", Value::Array(self.rows.clone())),
            Format::Yaml => self.rows.iter().map(yaml_item).collect(),
            Format::Name => self.rows.iter().map(|row| plain(&row[self.name]) + "\n").collect(),
        }
    }

    fn table(&self, wide: bool) -> String {
        let shown: Vec<&Column> = self.columns.iter().filter(|column| wide || !column.only_wide).collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(shown.iter().map(|column| column.title));
        for row in &self.rows {
            table.add_row(shown.iter().map(|column| plain(&row[column.field])));
        }
        table.trim_fmt() + "\n"
    }
}

/// A value as a person writes it: no quotes, lists by commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A flat object as an item of a YAML list. Scalars and lists are written as in JSON, which YAML 1.2 contains.
fn yaml_item(row: &Value) -> String {
    let fields = row.as_object().into_iter().flatten();
    fields
        .enumerate()
        .map(|(number, (name, value))| format!("{} {name}: {value}\n", if number == 0 { "-" } else { " " }))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        const COLUMNS: &[Column] = &[Column::always("NAME", "name"), Column::wide("URLS", "urls")];
        let mut report = Report::new(COLUMNS, "name");
        report.rows =
            vec![json!({"name": "node01", "urls": ["a", "b"]}), json!({"name": "no: 2", "urls": []})];
        report
    }

    #[test]
    fn a_table_hides_what_only_wide_shows() {
        assert!(!report().render(Format::Table).contains("URLS"));
        let wide = report().render(Format::Wide);
        assert!(wide.contains("URLS") && wide.contains("a,b"), "{wide}");
    }

    #[test]
    fn json_is_the_rows() {
        let parsed: Value = serde_json::from_str(&report().render(Format::Json)).expect("JSON");
        assert_eq!(parsed, Value::Array(report().rows));
    }

    #[test]
    fn yaml_quotes_what_would_mean_something() {
        assert_eq!(
            report().render(Format::Yaml),
            "- name: \"node01\"\n  urls: [\"a\",\"b\"]\n- name: \"no: 2\"\n  urls: []\n"
        );
    }

    #[test]
    fn names_come_one_a_line() {
        assert_eq!(report().render(Format::Name), "node01\nno: 2\n");
    }
}
