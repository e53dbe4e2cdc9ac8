//! What a person sees while something runs: one line that changes on a terminal, plain lines elsewhere.
//! Everything goes to stderr; stdout is for data.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// How often the changing line turns.
const TICK: Duration = Duration::from_millis(120);

/// Between two plain lines about the same thing.
const PLAIN_PAUSE: Duration = Duration::from_secs(2);

/// Log lines can be long; their beginning tells.
const WIDEST: usize = 240;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Shows what is being waited for.
#[derive(Debug)]
pub struct Progress {
    live: Option<ProgressBar>,
    plain: Mutex<Plain>,
}

/// What was printed about the same thing, and when last.
#[derive(Debug, Default)]
struct Plain {
    texts: BTreeSet<String>,
    at: Option<Instant>,
}

impl Progress {
    /// A changing line if stderr is a terminal and nobody wants it plain.
    pub fn new(plain: bool) -> Self {
        let live = (!plain && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { live, plain: Mutex::default() }
    }

    /// Shows nothing: for tests.
    pub fn silent() -> Self {
        Self { live: Some(ProgressBar::hidden()), plain: Mutex::default() }
    }

    /// Something new is being waited for.
    pub fn begin(&self, what: &str) {
        match &self.live {
            Some(bar) => {
                bar.reset_elapsed();
                bar.enable_steady_tick(TICK);
                bar.set_message(what.to_owned());
            }
            None => {
                // What passes at once is not worth a line of its own.
                let mut last = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Plain { texts: BTreeSet::new(), at: Some(Instant::now()) };
                eprintln!("...   {what}");
            }
        }
    }

    /// What it looks like at the moment. Plain output repeats nothing and is not chatty.
    pub fn update(&self, what: &str, now: &str) {
        let now = shortened(now);
        match &self.live {
            Some(bar) => bar.set_message(format!("{what}: {now}")),
            None => {
                let mut last = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
                // Two answers that alternate are two lines, not a hundred.
                let quiet = last.at.is_none_or(|at| at.elapsed() >= PLAIN_PAUSE);
                if quiet && last.texts.insert(now.clone()) {
                    eprintln!("        {now}");
                    last.at = Some(Instant::now());
                }
            }
        }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.live {
            // A hidden bar swallows what is printed above it, which is what silence means.
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Nothing is being waited for any more.
    pub fn end(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}
