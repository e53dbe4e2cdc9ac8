//! Runs one file, record by record.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sqllogictest::{
    Control, DefaultColumnType, QueryExpect, Record, RecordOutput, ResultMode, Runner, parse_file,
    parse_with_name, strict_column_validator,
};

use crate::args::{Args, Dialect};
use crate::db::{Engine, Expected};
use crate::script::sqlite_dialect;

/// What became of one file.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Records that were run and held.
    pub(crate) passed: usize,
    /// Records that were for another engine.
    pub(crate) skipped: usize,
    /// Records that did not run since an earlier one failed.
    pub(crate) left: usize,
    /// What failed, each with its place in the file.
    pub(crate) failures: Vec<String>,
}

type Rec = Record<DefaultColumnType>;

fn records_of(path: &Path, dialect: Dialect) -> Result<Vec<Rec>, String> {
    if dialect == Dialect::Postgresql {
        return parse_file(path).map_err(|error| error.to_string());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = sqlite_dialect(&String::from_utf8_lossy(&bytes), "sqlite");
    parse_with_name(&text, path.to_string_lossy()).map_err(|error| error.to_string())
}

fn counts(record: &Rec) -> bool {
    matches!(
        record,
        Record::Statement { .. } | Record::Query { .. } | Record::System { .. } | Record::Let { .. }
    )
}

fn types_of(record: &Rec) -> Vec<DefaultColumnType> {
    match record {
        Record::Query { expected: QueryExpect::Results { types, .. }, .. } => types.clone(),
        _ => Vec::new(),
    }
}

fn label_of(record: &Rec) -> Option<String> {
    match record {
        Record::Query { expected: QueryExpect::Results { label, .. }, .. } => label.clone(),
        _ => None,
    }
}

/// Queries of the same label must give the same result, also where a file names none.
#[derive(Default)]
struct Labels(HashMap<String, Vec<Vec<String>>>);

impl Labels {
    fn check(
        &mut self,
        label: Option<String>,
        output: &RecordOutput<DefaultColumnType>,
    ) -> Result<(), String> {
        let (Some(label), RecordOutput::Query { rows, .. }) = (label, output) else { return Ok(()) };
        match self.0.get(&label) {
            Some(before) if before != rows => {
                Err(format!("the result differs from the one of label {label} before"))
            }
            Some(_) => Ok(()),
            None => {
                self.0.insert(label, rows.clone());
                Ok(())
            }
        }
    }
}

/// Blanks count, since a `char(n)` is padded with them.
#[expect(clippy::ptr_arg, reason = "the runner's own signature")]
fn as_it_is(value: &String) -> String {
    value.clone()
}

#[expect(clippy::ptr_arg, reason = "the runner's own signature")]
fn same_width(actual: &Vec<DefaultColumnType>, expected: &Vec<DefaultColumnType>) -> bool {
    let any = vec![DefaultColumnType::Any; expected.len()];
    strict_column_validator(actual, &any)
}

/// Does a value fit the letter that the file gives its column?
fn fits(value: &str, kind: &DefaultColumnType) -> bool {
    match kind {
        _ if value == "NULL" => true,
        DefaultColumnType::Integer => value.parse::<i64>().is_ok(),
        DefaultColumnType::FloatingPoint => value.parse::<f64>().is_ok(),
        _ => true,
    }
}

fn check_letters(
    types: &[DefaultColumnType],
    output: &RecordOutput<DefaultColumnType>,
) -> Result<(), String> {
    let RecordOutput::Query { rows, .. } = output else { return Ok(()) };
    let misfit = rows.iter().flat_map(|row| row.iter().zip(types)).find(|(value, kind)| !fits(value, kind));
    misfit.map_or(Ok(()), |(value, kind)| Err(format!("{value:?} is not of type letter {kind:?}")))
}

/// Runs a file on connections of its own.
pub(crate) async fn run_file(args: &Args, path: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    let records = match records_of(path, args.dialect) {
        Ok(records) => records,
        Err(error) => {
            outcome.failures.push(error);
            return outcome;
        }
    };
    let expected: Expected = Arc::new(Mutex::new(Vec::new()));
    let mut runner = Runner::new(|| Engine::connect(args.clone(), Arc::clone(&expected)));
    runner.add_label(if args.dialect == Dialect::Sqlite { "sqlite" } else { "postgresql" });
    runner.with_column_validator(same_width);
    if args.dialect == Dialect::Sqlite {
        let _ = runner.run_async(Record::Control(Control::ResultMode(ResultMode::ValueWise))).await;
    } else {
        runner.with_normalizer(as_it_is);
    }
    let mut labels = Labels::default();
    for record in records {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        let counted = counts(&record);
        if !outcome.failures.is_empty() && !args.keep_going {
            outcome.left += usize::from(counted);
            continue;
        }
        let (types, label, place) = (types_of(&record), label_of(&record), place(&record));
        if let Ok(mut slot) = expected.lock() {
            slot.clone_from(&types);
        }
        let checked = match runner.run_async(record).await {
            Err(error) => Err(error.to_string()),
            Ok(RecordOutput::Nothing) => {
                outcome.skipped += usize::from(counted);
                continue;
            }
            Ok(output) if args.dialect == Dialect::Sqlite => labels.check(label, &output),
            Ok(output) => check_letters(&types, &output),
        };
        match checked {
            Ok(()) => outcome.passed += usize::from(counted),
            Err(error) => outcome.failures.push(format!("{place}: {error}")),
        }
    }
    runner.shutdown_async().await;
    outcome
}

fn place(record: &Rec) -> String {
    match record {
        Record::Statement { loc, .. } | Record::Query { loc, .. } => loc.to_string(),
        _ => String::new(),
    }
}

/// Empties schema public, for files that do not drop what they make.
pub(crate) async fn clean(args: &Args) -> Result<(), String> {
    use sqllogictest::{AsyncDB, DBOutput};
    let mut engine =
        Engine::connect(args.clone(), Expected::default()).await.map_err(|error| error.to_string())?;
    for (kind, catalog) in [("VIEW", "VIEW"), ("TABLE", "BASE TABLE")] {
        let sql = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = '{catalog}'"
        );
        let DBOutput::Rows { rows, .. } = engine.run(&sql).await.map_err(|error| error.to_string())? else {
            continue;
        };
        for name in rows.iter().flatten() {
            let drop = format!("DROP {kind} IF EXISTS \"{}\" CASCADE", name.replace('"', "\"\""));
            engine.run(&drop).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
