//! The end of a log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// No line worth showing is longer.
const WINDOW: u64 = 8 << 10;

/// The last line that is not empty, if the log can be read and has one.
pub fn last_line(path: &Path) -> Option<String> {
    last_lines(path, 1).pop()
}

/// At most `count` of the last lines that are not empty, oldest first, from the log's last 8 KiB.
pub fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(WINDOW)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|l| (*l).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_found_in_a_long_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let text: String = (0..5000).map(|n| format!("line {n}\n")).chain(["\n\n".to_owned()]).collect();
        std::fs::write(&path, text).unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("line 4999"));
        assert_eq!(last_lines(&path, 2), ["line 4998", "line 4999"]);
        assert_eq!(last_line(&dir.path().join("none")), None);
    }
}
