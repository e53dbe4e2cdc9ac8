//! What a person sees while something runs: one line that changes on a terminal, plain lines elsewhere.
//! Everything goes to stderr; stdout is for data.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
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
    live: Option<Live>,
    plain: Mutex<Plain>,
}

/// The line that changes, and those below it.
#[derive(Debug)]
struct Live {
    all: MultiProgress,
    main: ProgressBar,
    board: Mutex<Vec<ProgressBar>>,
}

impl Live {
    fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let main = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
            main.set_style(style);
        }
        Self { all, main, board: Mutex::default() }
    }

    fn board(&self) -> MutexGuard<'_, Vec<ProgressBar>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_board(&self, lines: &[(String, String)]) {
        let mut board = self.board();
        while board.len() < lines.len() {
            let line = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("       {prefix} {wide_msg}") {
                line.set_style(style);
            }
            board.push(line);
        }
        for (line, (name, state)) in board.iter().zip(lines) {
            line.set_prefix(name.clone());
            line.set_message(state.clone());
        }
    }

    fn clear_board(&self) {
        for line in self.board().drain(..) {
            line.finish_and_clear();
            self.all.remove(&line);
        }
    }
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
        let live =
            (!plain && std::io::stderr().is_terminal()).then(|| Live::on(ProgressDrawTarget::stderr()));
        Self { live, plain: Mutex::default() }
    }

    /// Shows nothing: for tests.
    pub fn silent() -> Self {
        Self { live: Some(Live::on(ProgressDrawTarget::hidden())), plain: Mutex::default() }
    }

    /// Something new is being waited for.
    pub fn begin(&self, what: &str) {
        match &self.live {
            Some(live) => {
                live.clear_board();
                live.main.reset_elapsed();
                live.main.enable_steady_tick(TICK);
                live.main.set_message(what.to_owned());
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
            Some(live) => live.main.set_message(format!("{what}: {now}")),
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

    /// Many things are being waited for at once: each has a line of its own. Plain output shows those that have
    /// changed.
    pub fn board(&self, what: &str, summary: &str, lines: &[(String, String)]) {
        match &self.live {
            Some(live) => {
                live.main.set_message(format!("{what}: {summary}"));
                live.show_board(lines);
            }
            None => {
                let text = |(name, state): &(String, String)| format!("{name} {state}");
                self.update(what, &lines.iter().map(text).collect::<Vec<_>>().join(", "));
            }
        }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.live {
            // Hidden bars swallow what is printed above them, which is what silence means. A terminal that is gone
            // shows nothing any more.
            Some(live) => drop(live.all.println(text)),
            None => eprintln!("{text}"),
        }
    }

    /// Nothing is being waited for any more.
    pub fn end(&self) {
        if let Some(live) = &self.live {
            live.clear_board();
            live.main.finish_and_clear();
        }
    }
}
