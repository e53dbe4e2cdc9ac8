//! Who shall hold a new database, and who shall lead which: as evenly as can be, and the same for whoever looks.

use std::collections::BTreeMap;

use super::{Host, Record};

/// Replicas of a database, where there are so many members.
const REPLICAS: usize = 3;

/// The members that shall hold a new database: those that hold the fewest, the first by name among equals; an odd
/// number of them, since an even one survives no more.
pub(crate) fn choose<'a>(hosts: &'a [Host], records: &[Record]) -> Vec<&'a Host> {
    let mut held: BTreeMap<&str, usize> = hosts.iter().map(|host| (host.name.as_str(), 0)).collect();
    for seat in records.iter().flat_map(|record| &record.seats) {
        if let Some(count) = held.get_mut(seat.member.as_str()) {
            *count += 1;
        }
    }
    let mut chosen: Vec<&Host> = hosts.iter().collect();
    chosen.sort_by_key(|host| (held[host.name.as_str()], host.name.as_str()));
    let replicas = chosen.len().min(REPLICAS);
    chosen.truncate(if replicas.is_multiple_of(2) { replicas.saturating_sub(1) } else { replicas });
    chosen
}

/// A database, its leader, and who else could lead it: by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) group: u64,
    pub(crate) leader: String,
    pub(crate) voters: Vec<String>,
}

/// The one leadership that `member` shall hand over, and to whom, so that members lead about equally many: none if
/// nobody leads at least two fewer. One at a time, since others look at the same moment.
pub(crate) fn relieve(member: &str, leads: &[Lead]) -> Option<(u64, String)> {
    let mut led: BTreeMap<&str, usize> = BTreeMap::new();
    for lead in leads {
        lead.voters.iter().for_each(|voter| {
            led.entry(voter).or_default();
        });
        *led.entry(&lead.leader).or_default() += 1;
    }
    let own = *led.get(member)?;
    let least = |lead: &Lead| {
        let others = lead.voters.iter().filter(|voter| *voter != member);
        others
            .min_by_key(|voter| (led[voter.as_str()], voter.as_str()))
            .map(|voter| (led[voter.as_str()], voter.clone()))
    };
    let (count, to, group) = leads
        .iter()
        .filter(|lead| lead.leader == member)
        .filter_map(|lead| least(lead).map(|(count, to)| (count, to, lead.group)))
        .min()?;
    (count + 2 <= own).then_some((group, to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FORMAT, Seat};
    use super::*;

    fn host(name: &str) -> Host {
        Host { format: FORMAT, name: name.into(), peer: format!("{name}:1"), client: format!("{name}:2") }
    }

    fn record(group: u64, members: &[&str]) -> Record {
        let seat = |member: &&str| Seat {
            member: (*member).into(),
            id: 1,
            peer: format!("{member}:1"),
            joined: false,
        };
        let seats = members.iter().map(seat).collect();
        Record { format: FORMAT, name: format!("d{group}"), group, owner: "o".into(), seats }
    }

    fn names(hosts: &[&Host]) -> Vec<String> {
        hosts.iter().map(|host| host.name.clone()).collect()
    }

    #[test]
    fn a_database_goes_where_the_fewest_are_and_to_an_odd_number() {
        let hosts: Vec<Host> = ["a", "b", "c", "d"].map(host).into();
        assert_eq!(names(&choose(&hosts, &[])), ["a", "b", "c"]);
        let records = [record(1, &["a", "b", "c"]), record(2, &["d", "a", "gone"])];
        assert_eq!(names(&choose(&hosts, &records)), ["b", "c", "d"]);
        assert_eq!(names(&choose(&hosts[..2], &[])), ["a"]);
        assert_eq!(names(&choose(&hosts[..1], &[])), ["a"]);
        assert!(choose(&[], &[]).is_empty());
    }

    fn lead(group: u64, leader: &str, voters: &[&str]) -> Lead {
        Lead { group, leader: leader.into(), voters: voters.iter().map(|&v| v.into()).collect() }
    }

    #[test]
    fn whoever_leads_most_hands_over_to_whoever_leads_least() {
        let all = ["a", "b", "c"];
        let leads = [lead(1, "a", &all), lead(2, "a", &all), lead(3, "b", &all)];
        assert_eq!(relieve("a", &leads), Some((1, "c".into())));
        assert_eq!(relieve("b", &leads), None);
        assert_eq!(relieve("c", &leads), None);
        assert_eq!(relieve("d", &leads), None);
        assert_eq!(relieve("a", &[lead(1, "a", &all)]), None, "one fewer is no reason");
    }

    proptest! {
        /// If they look one after the other, they come to rest, and then none leads two more than another.
        #[test]
        fn they_come_to_rest(leaders in prop::collection::vec(0..4usize, 0..20)) {
            let all = ["a", "b", "c", "d"];
            let mut leads: Vec<Lead> =
                (0..).zip(&leaders).map(|(group, leader)| lead(group, all[*leader], &all)).collect();
            for _ in 0..100 {
                for member in all {
                    if let Some((group, to)) = relieve(member, &leads) {
                        leads[group as usize].leader = to;
                    }
                }
            }
            let counts = all.map(|member| leads.iter().filter(|lead| lead.leader == member).count());
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }
}
