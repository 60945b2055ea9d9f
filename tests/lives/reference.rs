//! The reference model: when `trusted` would be wrong. It knows the truth, and of what is reported only
//! what has reached the service; it knows nothing of how the service decides.
//!
//! A device may be trusted if somebody signed in with FastPass on it, on a record that is still in use,
//! with a certificate or secret that Okta accepted, while this MDM managed it, and after the last time
//! at which, as far as the service was told, it left this MDM or was enrolled anew.
//!
//! What the service cannot know is no fault: a report that has not arrived, a change in Okta that no read
//! has shown, an enrolment's time by a clock that is a few minutes off.

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::{AskedDevice, Facts};
use okta_device_trust::model::{SerialNumber, Udid};

use crate::mdm::{Event, What};
use crate::okta::users_of;
use crate::truth::{MachineId, SignIn, Time};
use crate::world::World;

impl World {
    /// Why `trusted` is wrong as the answer to this question; `None`: it is right.
    pub fn objection(&self, facts: &Facts, require_inventory: bool) -> Option<String> {
        let asked = &facts.asked;
        let found = facts.device.as_ref().map(|device| device.serial_number.as_str());
        let Some(m) = found.and_then(|serial| self.truth.find(serial)) else {
            return if require_inventory {
                Some("a device that the inventory does not have".to_owned())
            } else {
                self.objection_without_inventory(asked)
            };
        };
        self.asked_for_another(asked, m).or_else(|| self.mdm_objects(m)).or_else(|| {
            let records = self.org.records.iter().filter(|(id, record)| {
                let named =
                    asked.okta_device_id.as_ref().is_none_or(|asked| asked.as_str() == **id);
                named && record.machine == m
            });
            let reasons: Vec<String> = {
                let mut reasons = Vec::new();
                for (id, _) in records {
                    match self.record_objects(m, id) {
                        None => return None,
                        Some(why) => reasons.push(format!("{id}: {why}")),
                    }
                }
                reasons
            };
            Some(format!("no record supports it: {}", reasons.join("; ")))
        })
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
            .find_map(|m| self.mdm_objects(m))
    }

    fn asked_for_another(&self, asked: &AskedDevice, m: MachineId) -> Option<String> {
        let machine = &self.truth.machines[m];
        if let Some(serial) = &asked.serial_number
            && serial.as_str() != machine.serial_number
        {
            return Some(format!("{serial} is another machine than {}", machine.serial_number));
        }
        if let Some(udid) = &asked.udid
            && udid.as_str() != machine.udid
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

    /// What the MDM has said against it.
    fn mdm_objects(&self, m: MachineId) -> Option<String> {
        let state = self.arrived(m).rev().find(|event| event.what.enrolled_after().is_some());
        match state {
            None => return Some("the MDM never reported it".to_owned()),
            Some(event) if event.what.enrolled_after() == Some(false) => {
                return Some(format!("it left at {}: {:?}", event.at, event.what));
            }
            Some(_) => {}
        }
        let left_at = self.arrived(m).filter(|event| is_leave(event)).map(|event| event.at).max();
        let lost = self.arrived(m).rev().find(|event| matches!(event.what, What::Lost(_)))?;
        let on = lost.what == What::Lost(true) && left_at.is_none_or(|left| lost.at > left);
        on.then(|| format!("it is lost since {}", lost.at))
    }

    /// When the present life of the machine began, as far as the service can know.
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

    /// Why this record of the machine supports no trust.
    fn record_objects(&self, m: MachineId, id: &str) -> Option<String> {
        let Some(seen) = self.seen.get(id) else { return Some("never shown".to_owned()) };
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
        let proof = self.sign_ins_on(id).find(|one| {
            one.managed
                && life.is_none_or(|life| one.at >= life)
                && self.was_enrolled(m, one)
                && self.is_still_there(id, one, since)
        });
        match proof {
            Some(_) => None,
            None => Some(format!("no managed sign-in since {life:?} of a user who is still there")),
        }
    }

    fn sign_ins_on(&self, id: &str) -> impl Iterator<Item = &SignIn> {
        self.truth.sign_ins.iter().filter(move |one| one.record == id)
    }

    /// Whether this MDM managed the machine at the sign-in, by the truth or as far as the service was told.
    /// The MDM's clock may be behind.
    fn was_enrolled(&self, m: MachineId, sign_in: &SignIn) -> bool {
        let skew = self.mdm.habits.skew.min(TimeDelta::zero());
        let mut before = self.arrived(m).rev().filter(|event| event.at + skew <= sign_in.at);
        let state = before.find_map(|event| event.what.enrolled_after());
        sign_in.enrolled || state == Some(true)
    }

    /// Whether Okta said at some moment since then that the record is active, the user on it and managed.
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

    /// When the newest record of the machine was created that was shown to the service, and is newer.
    fn newer_record(&self, m: MachineId, id: &str) -> Option<Time> {
        let machine = &self.truth.machines[m];
        let created = self.org.records[id].created();
        let is_the_machines = |(other, record): &(&String, &crate::okta::Record)| {
            record.machine == m
                && record.created() > created
                && self.seen.contains_key(*other)
                && record.history.iter().filter_map(|(_, device)| device.as_ref()).any(|device| {
                    device.udid.as_deref() == Some(machine.udid.as_str())
                        && device.status != "CREATED"
                })
        };
        self.org.records.iter().filter(is_the_machines).map(|(_, record)| record.created()).max()
    }
}

/// Facts older than this decide nothing.
const UNKNOWN_AFTER: TimeDelta = TimeDelta::hours(24);
/// Lists lag behind by no more than this.
pub const MAX_LAG: TimeDelta = TimeDelta::minutes(5);

fn is_leave(event: &Event) -> bool {
    matches!(event.what, What::Left(_) | What::Deleted { continued: false })
}

/// When the managed users of the record were added to it.
fn users_of_any(record: &crate::okta::Record, since: Time) -> Vec<Time> {
    record
        .states_since(since)
        .flat_map(users_of)
        .filter(|user| user.is_managed())
        .filter_map(|user| user.created)
        .collect()
}
