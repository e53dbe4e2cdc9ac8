//! Alarms: what a member has found wrong, agreed on by all and kept until somebody says it is over.
//!
//! Each is a record of the store. What one means is decided elsewhere: NOSPACE of any member lets only
//! deletions into the log (here, in [`super`]), CORRUPT takes the member it names out of service.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::watch;

use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::{AlarmMember, AlarmRequest, AlarmResponse, AlarmType};
use crate::store::{Batch, StoreError, View};

/// What the names of records begin with; then come the alarm's name and the member's id.
pub(crate) const PREFIX: &str = "alarm/";
/// Alarms that are kept. Members are few; whoever may raise alarms may name any number of them.
const MOST: usize = 256;

/// An alarm of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    kind: AlarmType,
    member: u64,
}

impl Alarm {
    pub(crate) fn new(kind: AlarmType, member: u64) -> Self {
        Self { kind, member }
    }

    pub(crate) fn kind(self) -> AlarmType {
        self.kind
    }

    fn record(self) -> String {
        format!("{PREFIX}{}/{:016x}", self.kind.as_str_name(), self.member)
    }

    fn of_record(name: &[u8]) -> Option<Self> {
        let (kind, member) = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?.split_once('/')?;
        let kind = AlarmType::from_str_name(kind)?;
        Some(Self { kind, member: u64::from_str_radix(member, 16).ok()? })
    }

    pub(crate) fn message(self) -> AlarmMember {
        AlarmMember { member_id: self.member, alarm: self.kind.into() }
    }
}

/// As etcd prints it among the errors of a status: protobuf's compact text, with the space at its end.
impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memberID:{} alarm:{} ", self.member, self.kind.as_str_name())
    }
}

/// The alarms that are raised, shared by the applying thread and those who ask, and whether this member
/// may serve.
#[derive(Debug)]
pub struct Alarms {
    /// This member.
    me: u64,
    raised: ArcSwap<BTreeSet<Alarm>>,
    /// This member's state has diverged: an alarm says so, or the self-check, whose alarm is under way.
    fenced: watch::Sender<bool>,
}

impl Alarms {
    /// What a store has recorded, for a member.
    pub fn open(view: &View, me: u64) -> Result<Arc<Self>, StoreError> {
        let alarms = Self { me, raised: ArcSwap::default(), fenced: watch::Sender::new(false) };
        alarms.replaced(view)?;
        Ok(Arc::new(alarms))
    }

    /// Whose view it is.
    pub(crate) fn member(&self) -> u64 {
        self.me
    }

    /// All that are raised.
    pub fn all(&self) -> Arc<BTreeSet<Alarm>> {
        self.raised.load_full()
    }

    /// Whether this member serves nothing, because its state may be wrong.
    pub fn is_fenced(&self) -> bool {
        *self.fenced.borrow()
    }

    /// Waits until it is.
    pub(crate) async fn fenced(&self) {
        // The sender lives as long as this.
        let _ = self.fenced.subscribe().wait_for(|fenced| *fenced).await;
    }

    /// This member has diverged: at once, before there is an alarm.
    pub(crate) fn fence(&self) {
        self.fenced.send_replace(true);
    }

    /// Raised for nobody in particular, CORRUPT means everybody.
    fn names_me(&self, raised: &BTreeSet<Alarm>) -> bool {
        [0, self.me].into_iter().any(|member| raised.contains(&Alarm::new(AlarmType::Corrupt, member)))
    }

    /// Whether an alarm makes this member unhealthy: want of room is everybody's, corruption its own.
    pub(crate) fn concerns_me(&self, alarm: Alarm) -> bool {
        alarm.kind != AlarmType::Corrupt || self.is_fenced()
    }

    /// Whether this one is raised.
    pub(crate) fn is_raised(&self, alarm: Alarm) -> bool {
        self.raised.load().contains(&alarm)
    }

    /// Whether any member has raised an alarm of this kind.
    pub(crate) fn any(&self, kind: AlarmType) -> bool {
        self.raised.load().iter().any(|alarm| alarm.kind == kind)
    }

    /// Those that a request asks for: of its kind, or all.
    pub(crate) fn asked(&self, request: &AlarmRequest) -> Vec<AlarmMember> {
        let wanted = request.alarm();
        let raised = self.raised.load();
        let asked = raised.iter().filter(|alarm| wanted == AlarmType::None || alarm.kind == wanted);
        asked.map(|alarm| alarm.message()).collect()
    }

    /// The store was replaced by an image.
    pub(super) fn replaced(&self, view: &View) -> Result<(), StoreError> {
        let raised = recorded(view)?;
        self.fenced.send_replace(self.names_me(&raised));
        self.raised.store(Arc::new(raised));
        Ok(())
    }

    /// Raises an alarm or ends one. Names in the answer what is raised, or what was ended, as etcd does.
    pub(super) fn apply(&self, batch: &mut Batch<'_>, request: &AlarmRequest) -> AlarmResponse {
        let alarm = Alarm::new(request.alarm(), request.member_id);
        let alarms = match request.action() {
            AlarmAction::Get => self.asked(request),
            _ if alarm.kind == AlarmType::None => Vec::new(),
            AlarmAction::Activate => self.raise(batch, alarm).then(|| alarm.message()).into_iter().collect(),
            AlarmAction::Deactivate => self.end(batch, alarm).then(|| alarm.message()).into_iter().collect(),
        };
        AlarmResponse { header: None, alarms }
    }

    fn raise(&self, batch: &mut Batch<'_>, alarm: Alarm) -> bool {
        let raised = self.raised.load();
        if raised.contains(&alarm) {
            return true;
        }
        if raised.len() >= MOST {
            return false;
        }
        tracing::warn!(%alarm, "alarm raised");
        batch.set_record(alarm.record(), Some(Bytes::new()));
        let more: BTreeSet<Alarm> = raised.iter().copied().chain([alarm]).collect();
        if self.names_me(&more) {
            self.fence();
        }
        self.raised.store(Arc::new(more));
        true
    }

    fn end(&self, batch: &mut Batch<'_>, alarm: Alarm) -> bool {
        let raised = self.raised.load();
        if !raised.contains(&alarm) {
            return false;
        }
        tracing::warn!(%alarm, "alarm disarmed");
        batch.set_record(alarm.record(), None);
        let less: BTreeSet<Alarm> = raised.iter().copied().filter(|other| *other != alarm).collect();
        // Another member's alarm says nothing about what the self-check has found here.
        if alarm.kind == AlarmType::Corrupt && (alarm.member == 0 || alarm.member == self.me) {
            self.fenced.send_replace(self.names_me(&less));
        }
        self.raised.store(Arc::new(less));
        true
    }
}

fn recorded(view: &View) -> Result<BTreeSet<Alarm>, StoreError> {
    let damaged = |name: &Bytes| {
        let text = format!(
            "the record {:?} is no alarm; restore this member from the others: remove it and add it anew",
            String::from_utf8_lossy(name)
        );
        StoreError::Io(io::Error::new(io::ErrorKind::InvalidData, text))
    };
    let records = view.records(PREFIX)?;
    records.keys().map(|name| Alarm::of_record(name).ok_or_else(|| damaged(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_alarm() {
        for alarm in [Alarm::new(AlarmType::Nospace, 0), Alarm::new(AlarmType::Corrupt, u64::MAX)] {
            assert_eq!(Alarm::of_record(alarm.record().as_bytes()), Some(alarm));
        }
        for no_alarm in ["alarm/", "alarm/NOSPACE", "alarm/NOSPACE/x", "alarm/LATE/0", "auth/meta"] {
            assert_eq!(Alarm::of_record(no_alarm.as_bytes()), None, "{no_alarm}");
        }
    }

    #[test]
    fn a_status_shows_an_alarm_as_etcd_does() {
        let alarm = Alarm::new(AlarmType::Nospace, 8_630_161_756_594_109_333);
        assert_eq!(alarm.to_string(), "memberID:8630161756594109333 alarm:NOSPACE ");
    }
}
