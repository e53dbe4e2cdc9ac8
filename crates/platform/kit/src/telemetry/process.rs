//! What Linux knows about this process, under the names that every Prometheus dashboard expects.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// proc(5): times in `stat` count in USER_HZ, which is 100 on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads /proc when a scraper asks. What cannot be read is left out.
#[derive(Debug, Default)]
pub struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&stat) {
            let counter = ConstCounter::new(seconds);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system time",
                None,
                kind,
            )?)?;
        }
        let gauges = [
            ("process_resident_memory_bytes", "Memory in RAM", kilobytes(&status, "VmRSS:")),
            ("process_virtual_memory_bytes", "Address space", kilobytes(&status, "VmSize:")),
            ("process_threads", "Threads", field(&status, "Threads:")),
            ("process_open_fds", "Open file descriptors", open_fds()),
            ("process_max_fds", "Most file descriptors that may be open", max_fds()),
            ("process_start_time_seconds", "When it started, in Unix time", start_time(&stat)),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                let kind = gauge.metric_type();
                gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
            }
        }
        Ok(())
    }
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    field(status, name).map(|kb| kb * 1024.0)
}

/// Field `number` of proc(5)'s `stat`, counted from 1. The name in field 2 may hold blanks and brackets.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_time(stat: &str) -> Option<f64> {
    let boot = field(&fs::read_to_string("/proc/stat").ok()?, "btime ")?;
    Some(boot + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 open files")]
fn open_fds() -> Option<f64> {
    // One of them is the directory that is being read.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn max_fds() -> Option<f64> {
    field(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "1 (a) b) c) S 2 3 4 5 6 7 8 9 10 11 250 50 0 0 20 0 1 0 12345 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(stat_field(stat, 22), Some(12345.0));
        assert_eq!(stat_field("", 22), None);
    }

    #[test]
    fn this_process_is_plausible() {
        let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
        assert!(start_time(&stat).expect("a start time") > 1.6e9);
        assert!(open_fds().expect("files") >= 3.0);
        assert!(max_fds().expect("a limit") >= 3.0);
    }
}
