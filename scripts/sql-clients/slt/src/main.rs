//! Runs sqllogictest files against a server over PostgreSQL's simple protocol: a line for each file, then a summary.

mod args;
mod db;
mod format;
mod run;
mod script;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use args::{Args, Dialect};
use run::Outcome;

/// The files that a path names, sorted.
fn files_of(path: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    entries.sort();
    for entry in entries {
        let wanted = entry.extension().is_some_and(|ext| ext == "test" || ext == "slt");
        if entry.is_dir() || wanted {
            files_of(&entry, into)?;
        }
    }
    Ok(())
}

async fn run_all(args: &Args, files: &[PathBuf]) -> bool {
    let began = Instant::now();
    let (mut passed, mut failed, mut skipped, mut left, mut bad) = (0, 0, 0, 0, 0);
    for file in files {
        let file_began = Instant::now();
        let mut outcome = Outcome::default();
        if args.clean || args.dialect == Dialect::Sqlite {
            outcome.failures.extend(run::clean(args).await.err());
        }
        if outcome.failures.is_empty() {
            outcome = run::run_file(args, file).await;
        }
        let word = if outcome.failures.is_empty() { "ok" } else { "FAILED" };
        println!(
            "{word} {}: {} passed, {} failed, {} skipped, {} not run ({} ms)",
            file.display(),
            outcome.passed,
            outcome.failures.len(),
            outcome.skipped,
            outcome.left,
            file_began.elapsed().as_millis()
        );
        for failure in outcome.failures.iter().take(args.show) {
            println!("    {}", failure.trim_end().replace('\n', "\n    "));
        }
        passed += outcome.passed;
        failed += outcome.failures.len();
        skipped += outcome.skipped;
        left += outcome.left;
        bad += usize::from(!outcome.failures.is_empty());
    }
    println!(
        "{} files, {bad} with failures; records: {passed} passed, {failed} failed, {skipped} skipped, {left} not run; {} ms",
        files.len(),
        began.elapsed().as_millis()
    );
    failed == 0 && bad == 0
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut files = Vec::new();
    for path in &args.paths {
        if let Err(error) = files_of(path, &mut files) {
            eprintln!("slt-runner: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if files.is_empty() {
        eprintln!("slt-runner: no file to run");
        return ExitCode::FAILURE;
    }
    if run_all(&args, &files).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
