//! The reference model: when `trusted` is wrong. It uses the truth and the reports that have reached the
//! service, but not the rules of the service.
//!
//! A device may be trusted if a user signed in with FastPass on it, on a record that is still in use,
//! with a certificate or secret that Okta accepted, while this MDM managed it, and after the last time
//! at which, according to the received reports, it left this MDM or was enrolled again.
//!
//! The service is not expected to know a report that has not arrived, a change in Okta that no read has
//! shown, or the exact time of an enrolment if a clock is a few minutes off.

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::{AskedDevice, DeviceFacts, Facts, Policy};
use okta_device_trust::model::{OktaDevice, SerialNumber, Udid};

use crate::mdm::{Event, What};
use crate::okta::users_of;
use crate::truth::{MachineId, SignIn, Time};
use crate::world::World;

impl World {
    /// Returns why `trusted` is the wrong verdict for these facts; `None` if it is correct.
    pub fn objection(&self, facts: &Facts, policy: &Policy) -> Option<String> {
        let asked = &facts.asked;
        let found = facts.device.as_ref().map(|device| device.serial_number.as_str());
        let Some(m) = found.and_then(|serial| self.truth.find(serial)) else {
            return if policy.require_inventory {
                Some("the device is not in the inventory".to_owned())
            } else {
                self.objection_without_inventory(asked)
            };
        };
        self.asked_for_another(asked, m).or_else(|| self.mdm_objection(m)).or_else(|| {
            let records = self.org.records.iter().filter(|(id, record)| {
                let named =
                    asked.okta_device_id.as_ref().is_none_or(|asked| asked.as_str() == **id);
                named && record.machine == m
            });
            let reasons: Vec<String> = {
                let mut reasons = Vec::new();
                for (id, _) in records {
                    match self.record_objection(m, id) {
                        None => return None,
                        Some(why) => reasons.push(format!("{id}: {why}")),
                    }
                }
                reasons
            };
            Some(format!("no record supports it: {}", reasons.join("; ")))
        })
    }

    /// Returns why not all users of the machine are managed: its newest record, which always counts, has had
    /// another user all the time.
    pub fn objection_of_all_users(&self, facts: &Facts) -> Option<String> {
        let found = facts.device.as_ref().map(|device| device.serial_number.as_str());
        let m = found.and_then(|serial| self.truth.find(serial))?;
        let own = self.org.records.iter().filter(|(_, record)| record.machine == m);
        let (id, record) = own.max_by_key(|(_, record)| record.created())?;
        let asked = facts.asked.okta_device_id.as_ref();
        if asked.is_some_and(|asked| asked.as_str() != *id) {
            return None;
        }
        record.device.as_ref()?;
        let machine = &self.truth.machines[m];
        // A user who was added before its identifiers changed is not a user of this device.
        let is_own = |device: &OktaDevice| {
            self.shows_told_udid(m, device)
                && device.serial_number.as_deref() == Some(machine.serial_number.as_str())
        };
        let is_always_own =
            record.history.iter().filter_map(|(_, device)| device.as_ref()).all(is_own);
        let since = self.seen.get(id)?.whole_at.max(self.now - UNKNOWN_AFTER - MAX_LAG);
        // Users who were added before it to an older record count as no users.
        let life = facts.device.as_ref().and_then(DeviceFacts::present_since);
        let mut states = record.states_since(since);
        let is_unmanaged = states.all(|device| {
            device.is_active()
                && users_of(device).iter().any(|user| {
                    !user.is_managed() && user.status.as_deref().is_none_or(|word| word == "ACTIVE")
                })
        });
        let counts = life.is_none_or(|life| record.created() >= life);
        (counts && is_always_own && is_unmanaged)
            .then(|| format!("{id} has a user who is not managed"))
    }

    /// Without an inventory the identifiers alone decide, but not against what the MDM has said.
    fn objection_without_inventory(&self, asked: &AskedDevice) -> Option<String> {
        let named = |m: &MachineId| {
            let machine = &self.truth.machines[*m];
            let serial = asked.serial_number.as_ref().map(SerialNumber::as_str);
            let udid = asked.udid.as_ref().map(Udid::as_str);
            serial == Some(&machine.serial_number) || udid == Some(&machine.udid)
        };
        let of_mdm = |m: &MachineId| self.arrived(*m).next().is_some();
        (0..self.truth.machines.len())
            .filter(named)
            .filter(of_mdm)
            .find_map(|m| self.mdm_objection(m))
    }

    fn asked_for_another(&self, asked: &AskedDevice, m: MachineId) -> Option<String> {
        let machine = &self.truth.machines[m];
        if let Some(serial) = &asked.serial_number
            && serial.as_str() != machine.serial_number
        {
            return Some(format!("{serial} is another machine than {}", machine.serial_number));
        }
        // Without a UDID from the MDM, one that the machine had before counts like its present one.
        let is_former = |udid: &str| machine.former_udids.iter().any(|(_, former)| former == udid);
        if let Some(udid) = &asked.udid
            && udid.as_str() != machine.udid
            && !(self.told_udids(m).is_empty() && is_former(udid.as_str()))
        {
            return Some(format!("{udid} is another machine than {}", machine.serial_number));
        }
        let asked = asked.okta_device_id.as_ref()?;
        let record = self.org.records.get(asked.as_str());
        match record {
            None => Some(format!("{asked} does not exist")),
            Some(record) if record.machine != m => {
                Some(format!("{asked} belongs to machine {}", record.machine))
            }
            Some(_) => None,
        }
    }

    fn arrived(&self, m: MachineId) -> impl DoubleEndedIterator<Item = &Event> {
        self.mdm.events.iter().filter(move |event| event.machine == m && event.arrived)
    }

    /// Returns the objection of the MDM's reports.
    fn mdm_objection(&self, m: MachineId) -> Option<String> {
        let state = self.arrived(m).rev().find(|event| event.what.enrolled_after().is_some());
        match state {
            None => return Some("the MDM has not reported it".to_owned()),
            Some(event) if event.what.enrolled_after() == Some(false) => {
                return Some(format!("it left at {}: {:?}", event.at, event.what));
            }
            Some(_) => {}
        }
        let left_at =
            self.arrived(m).filter(|event| is_departure(event)).map(|event| event.at).max();
        let lost = self.arrived(m).rev().find(|event| matches!(event.what, What::Lost(_)))?;
        let on = lost.what == What::Lost(true) && left_at.is_none_or(|left| lost.at > left);
        on.then(|| format!("it is in lost mode since {}", lost.at))
    }

    /// Returns when the present life of the machine began, according to the received reports.
    fn present_life(&self, m: MachineId) -> Option<Time> {
        let skew = self.mdm.habits.skew.min(TimeDelta::zero());
        let tells = self.mdm.habits.tells_enrolled_at;
        let began = |event: &Event| match event.what {
            What::Left(_) | What::Deleted { continued: false } => Some(event.at),
            What::Enrolled { continues: false } if tells => Some(event.at + skew),
            _ => None,
        };
        self.arrived(m).filter_map(began).max()
    }

    /// Returns why this record of the machine is no evidence for trust.
    fn record_objection(&self, m: MachineId, id: &str) -> Option<String> {
        let Some(seen) = self.seen.get(id) else { return Some("never read".to_owned()) };
        let since = seen.whole_at.max(self.now - UNKNOWN_AFTER - MAX_LAG);
        let life = self.present_life(m);
        let newer = self.newer_record(m, id);
        let record = &self.org.records[id];
        let used_since_newer = |at: Time| newer.is_none_or(|newer| at >= newer);
        let in_use = used_since_newer(record.created())
            || self.sign_ins_on(id).any(|one| used_since_newer(one.at))
            || users_of_any(record, since).iter().any(|at| used_since_newer(*at));
        if !in_use {
            return Some(format!("not used since a newer record of {newer:?}"));
        }
        let udids = self.told_udids(m);
        let proof = self.sign_ins_on(id).find(|one| {
            one.managed
                && one.machine == m
                && (udids.is_empty() || udids.contains(&one.udid.as_str()))
                && life.is_none_or(|life| one.at >= life)
                && self.was_enrolled(m, one)
                && self.is_still_there(id, one, since)
        });
        match proof {
            Some(_) => None,
            None => Some(format!(
                "no managed sign-in since {life:?} by a user who is still on the record"
            )),
        }
    }

    /// Returns the UDIDs that the machine may have according to the received reports; empty if none was reported.
    fn told_udids(&self, m: MachineId) -> Vec<&str> {
        let log = || self.mdm.told_udids.iter().filter(|(machine, _, _)| *machine == m);
        let newest = log().map(|(_, stamp, _)| *stamp).max();
        // Stamps may be minutes ahead, and then count as of their receipt.
        let as_new = |stamp: Time| newest.is_some_and(|newest| stamp >= newest - LIFE_MARGIN);
        log().filter(|(_, stamp, _)| as_new(*stamp)).map(|(_, _, udid)| udid.as_str()).collect()
    }

    /// Returns whether a record has the UDID of the machine according to the received reports.
    fn shows_told_udid(&self, m: MachineId, device: &OktaDevice) -> bool {
        let log = self.told_udids(m);
        let own = &self.truth.machines[m].udid;
        device
            .udid
            .as_deref()
            .is_some_and(|udid| udid == own && log.is_empty() || log.contains(&udid))
    }

    fn sign_ins_on(&self, id: &str) -> impl Iterator<Item = &SignIn> {
        self.truth.sign_ins.iter().filter(move |one| one.record == id)
    }

    /// Returns whether this MDM managed the machine at the sign-in, in truth or according to the reports.
    /// The MDM's clock may be behind.
    fn was_enrolled(&self, m: MachineId, sign_in: &SignIn) -> bool {
        let skew = self.mdm.habits.skew.min(TimeDelta::zero());
        let mut before = self.arrived(m).rev().filter(|event| event.at + skew <= sign_in.at);
        let state = before.find_map(|event| event.what.enrolled_after());
        sign_in.enrolled || state == Some(true)
    }

    /// Returns whether Okta's record was active with the user as managed at some time since then.
    fn is_still_there(&self, id: &str, sign_in: &SignIn, since: Time) -> bool {
        let person = &self.truth.people[sign_in.person];
        self.org.records[id].states_since(since).any(|device| {
            let shown = users_of(device).iter().any(|user| {
                user.id == person.id
                    && user.is_managed()
                    && user.status.as_deref().is_none_or(|status| status == "ACTIVE")
            });
            device.is_active() && shown
        })
    }

    /// Returns the creation time of the newest record of the machine that was read and is newer.
    fn newer_record(&self, m: MachineId, id: &str) -> Option<Time> {
        let created = self.org.records[id].created();
        let is_the_machines = |(other, record): &(&String, &crate::okta::Record)| {
            record.machine == m
                && record.created() > created
                && self.seen.contains_key(*other)
                && record
                    .history
                    .iter()
                    .filter_map(|(_, device)| device.as_ref())
                    .any(|device| device.status != "CREATED" && self.shows_told_udid(m, device))
        };
        self.org.records.iter().filter(is_the_machines).map(|(_, record)| record.created()).max()
    }
}

/// What the service allows for clocks that differ, and as much again.
const LIFE_MARGIN: TimeDelta = TimeDelta::minutes(10);
/// Facts older than this decide nothing.
const UNKNOWN_AFTER: TimeDelta = TimeDelta::hours(24);
/// The maximum lag of lists.
pub const MAX_LAG: TimeDelta = TimeDelta::minutes(5);

fn is_departure(event: &Event) -> bool {
    matches!(event.what, What::Left(_) | What::Deleted { continued: false })
}

/// Returns when the managed users of the record were added.
fn users_of_any(record: &crate::okta::Record, since: Time) -> Vec<Time> {
    record
        .states_since(since)
        .flat_map(users_of)
        .filter(|user| user.is_managed())
        .filter_map(|user| user.created)
        .collect()
}
