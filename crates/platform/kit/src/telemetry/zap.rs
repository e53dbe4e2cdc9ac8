//! Lines as zap's production encoder writes them, which is what etcd's are: one JSON object with `level`,
//! `ts`, `logger`, `msg` and the event's fields.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of a line.
pub(super) struct Zap;

impl<S, N> FormatEvent<S, N> for Zap
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = jiff::Timestamp::now();
        let line = line(event, now);
        writeln!(writer, "{line}")
    }
}

fn line(event: &Event<'_>, now: jiff::Timestamp) -> Value {
    let mut line = Map::new();
    line.insert("level".into(), level(*event.metadata().level()).into());
    line.insert("ts".into(), now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into());
    line.insert("logger".into(), event.metadata().target().into());
    line.insert("msg".into(), "".into());
    event.record(&mut Fields(&mut line));
    Value::Object(line)
}

/// zap knows no finer level than debug.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.insert(name.into(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_an_object_in_zaps_order() {
        let sink = Sink::default();
        let owned = sink.clone();
        let subscriber =
            tracing_subscriber::fmt().event_format(Zap).with_writer(move || owned.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "t", address = %"[::1]:1", count = 3, quick = true, "said \"so\"");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let line: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let ts = line["ts"].as_str().unwrap().to_owned();
        assert!(ts.len() == 27 && ts.ends_with('Z'), "{ts}");
        let expected = format!(
            r#"{{"level":"warn","ts":"{ts}","logger":"t","msg":"said \"so\"","address":"[::1]:1","count":3,"quick":true}}"#
        );
        assert_eq!(text.trim_end(), expected);
    }
}
