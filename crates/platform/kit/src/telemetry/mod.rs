//! What a process says about itself: log lines and metrics.
//!
//! Refuses to write to stdout unless a drop-in was told to (that is for data), to keep a global metrics
//! registry (two nodes may share a test process), and to let strangers fill a log.

mod log;
mod metrics;
mod process;
mod throttle;
mod zap;

pub use log::{LogConfig, LogError, LogFormat, LogOutput, init};
pub use metrics::{Metrics, MetricsError};
pub use process::ProcessCollector;
pub use throttle::Throttle;
