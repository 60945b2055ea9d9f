//! One life of a tenant: the truth, the org and the MDM, at one time. What people, admins and machines
//! do; nothing here touches the service.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::{OktaDevice, Platform};

use crate::mdm::{Mdm, What};
use crate::okta::{Org, users_of};
use crate::truth::{Account, MachineId, PersonId, SignIn, Time, Truth};

/// What the service was shown of a record.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The latest time as of which it was shown the whole truth in a form that it must believe.
    pub whole_at: Time,
    /// When it last read the record or its users by id: lists may not undo that for a while.
    pub by_id_at: Option<Time>,
}

pub struct World {
    pub now: Time,
    pub truth: Truth,
    pub org: Org,
    pub mdm: Mdm,
    pub seen: BTreeMap<String, Seen>,
    /// Machines whose identifiers another phone reports as well, with the same secret.
    pub copied: Vec<MachineId>,
}

impl World {
    pub fn pass(&mut self, time: TimeDelta) {
        self.now += time;
    }

    /// Adds the person's account to Okta Verify on the machine. False: Okta refuses it, or it is there.
    pub fn register(&mut self, m: MachineId, p: PersonId, sees_configuration: bool) -> bool {
        let (now, person) = (self.now, self.truth.people[p].clone());
        if person.status != "ACTIVE" || self.is_registered(m, p) {
            return false;
        }
        self.truth.machines[m].accounts.retain(|account| account.person != p);
        let shown = self.truth.machines[m].shown_identifiers();
        let record = if let Some(known) = self.record_for(m, p) {
            if !self.org.device(&known).is_some_and(OktaDevice::is_active) {
                return false;
            }
            self.org.add_user(&known, &person, now);
            known
        } else {
            let platform = self.truth.machines[m].okta_platform;
            self.org.register(m, platform, shown, &person, now)
        };
        self.truth.machines[m].accounts.push(Account { person: p, record, sees_configuration });
        true
    }

    fn is_registered(&self, m: MachineId, p: PersonId) -> bool {
        let id = &self.truth.people[p].id;
        self.truth.machines[m].account_of(p).is_some_and(|account| {
            let device = self.org.device(&account.record);
            device.is_some_and(|device| {
                device.is_active() && users_of(device).iter().any(|user| user.id == *id)
            })
        })
    }

    /// The record that Okta finds for a new account on the machine.
    fn record_for(&self, m: MachineId, p: PersonId) -> Option<String> {
        let machine = &self.truth.machines[m];
        let switches = self.org.switches;
        let mac = machine.okta_platform == "MACOS";
        let exists = |id: &&String| self.org.device(id).is_some();
        let in_use = machine.accounts.iter().filter(|account| account.person != p);
        let installed = in_use.map(|account| &account.record).find(exists);
        if !(mac && switches.second_user_is_second_record) && installed.is_some() {
            return installed.cloned();
        }
        if !(mac && switches.wiped_mac_gets_old_record) {
            return None;
        }
        let (_, udid) = machine.shown_identifiers();
        let free = self.org.records.iter().filter(|(id, record)| {
            let device = record.device.as_ref();
            record.machine == m
                && device.is_some_and(|device| device.is_active() && device.udid == udid)
                && !machine.accounts.iter().any(|account| account.record == **id)
        });
        free.max_by_key(|(_, record)| record.created()).map(|(id, _)| id.clone())
    }

    /// A FastPass sign-in; `changed`: with other signals than last time. False: refused.
    pub fn sign_in(&mut self, m: MachineId, p: PersonId, changed: bool) -> bool {
        let machine = &self.truth.machines[m];
        let Some(account) = machine.account_of(p).cloned() else { return false };
        let managed = machine.configured && account.sees_configuration;
        let (shown, enrolled) = (machine.shown_identifiers(), machine.enrolled);
        let (record, person) = (account.record, self.truth.people[p].clone());
        if !self.org.sign_in(&record, &person, managed, shown, changed, self.now) {
            return false;
        }
        let at = self.now;
        self.truth.sign_ins.push(SignIn { machine: m, person: p, record, at, managed, enrolled });
        true
    }

    /// The person removes the account from Okta Verify.
    pub fn remove_account(&mut self, m: MachineId, p: PersonId) -> bool {
        let Some(account) = self.truth.machines[m].account_of(p).cloned() else { return false };
        self.truth.machines[m].accounts.retain(|known| known.person != p);
        self.org.remove_user(&account.record, &self.truth.people[p].id, self.now)
    }

    pub fn set_person_status(&mut self, p: PersonId, status: &'static str) {
        self.truth.people[p].status = status;
        self.org.set_user_status(&self.truth.people[p], self.now);
    }

    /// The machine enrols in this MDM.
    pub fn enroll(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].enrolled = true;
        self.mdm.note(m, self.now, What::Enrolled { continues: false }, delay)
    }

    /// The MDM imports a device again that it had deleted and that was enrolled all along.
    pub fn import(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].enrolled = true;
        let events = self.mdm.events.iter_mut().rev();
        let mut deleted_at = self.now;
        for event in events.filter(|event| event.machine == m) {
            if let What::Deleted { continued } = &mut event.what {
                *continued = true;
                deleted_at = event.at;
                break;
            }
        }
        for sign_in in self.truth.sign_ins.iter_mut().filter(|one| one.machine == m) {
            sign_in.enrolled |= sign_in.at >= deleted_at;
        }
        self.mdm.note(m, self.now, What::Enrolled { continues: true }, delay)
    }

    /// The MDM erases the machine, and reports it.
    pub fn wipe(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].erase();
        self.mdm.note(m, self.now, What::Left(EnrollmentState::Wiped), delay)
    }

    /// The machine leaves the MDM without being erased; its certificate may stay behind.
    pub fn unenroll(&mut self, m: MachineId, stays_configured: bool, delay: TimeDelta) -> usize {
        let machine = &mut self.truth.machines[m];
        machine.enrolled = false;
        machine.configured &= stays_configured;
        self.mdm.note(m, self.now, What::Left(EnrollmentState::Unenrolled), delay)
    }

    /// The MDM deletes the device from its list.
    pub fn delete(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].enrolled = false;
        self.mdm.note(m, self.now, What::Deleted { continued: false }, delay)
    }

    /// The MDM delivers the configuration; it says so where it is its habit.
    pub fn deliver(&mut self, m: MachineId, delay: TimeDelta) {
        self.truth.machines[m].configured = true;
        if self.mdm.habits.reports_deliveries {
            self.mdm.note(m, self.now, What::Delivered { config_version: 2 }, delay);
        }
    }

    pub fn set_lost(&mut self, m: MachineId, lost: bool, delay: TimeDelta) {
        self.truth.machines[m].lost = lost;
        self.mdm.note(m, self.now, What::Lost(lost), delay);
    }

    /// Whether nothing happened to the machine since the MDM deleted it.
    pub fn is_untouched_since_deletion(&self, m: MachineId) -> bool {
        let machine = &self.truth.machines[m];
        self.mdm.has_deleted(m) && machine.configured && !machine.accounts.is_empty()
    }

    pub fn is_mac(&self, m: MachineId) -> bool {
        self.truth.machines[m].platform == Some(Platform::Macos)
    }
}
