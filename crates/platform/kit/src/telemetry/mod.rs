//! What a process says about itself: log lines on stderr and metrics.
//!
//! Refuses to write to stdout (that is for data), to keep a global metrics registry (two nodes may share
//! a test process), and to let strangers fill a log.

mod log;
mod metrics;
mod process;
mod throttle;

pub use log::{LogConfig, LogError, LogFormat, init};
pub use metrics::{Metrics, MetricsError};
pub use process::ProcessCollector;
pub use throttle::Throttle;
