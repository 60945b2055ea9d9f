//! The world of one history: the truth, the org and the MDM at one time, and the actions of users, admins
//! and machines. It does not access the service.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::{OktaDevice, Platform};

use crate::mdm::{Mdm, What};
use crate::okta::{Org, users_of};
use crate::truth::{
    Account, MachineId, NEW_SERIAL_NUMBER, PersonId, SignIn, Time, Truth, iphone_udid, mac_udid,
};

/// What the service has read of a record.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The latest time as of which it has read the complete record in a form that it must accept.
    pub whole_at: Time,
    /// When it last read the record or its users by ID, which lists must not overwrite for a while.
    pub by_id_at: Option<Time>,
}

pub struct World {
    pub now: Time,
    pub truth: Truth,
    pub org: Org,
    pub mdm: Mdm,
    pub seen: BTreeMap<String, Seen>,
    /// Until then Okta does not answer the service.
    pub okta_away_until: Time,
    /// Machines whose identifiers another phone reports as well, with the same secret.
    pub copied: Vec<MachineId>,
}

impl World {
    pub fn is_okta_away(&self) -> bool {
        self.now < self.okta_away_until
    }

    pub fn pass(&mut self, time: TimeDelta) {
        self.now += time;
    }

    /// Adds the person's account to Okta Verify on the machine. Returns false if Okta refuses it or it exists.
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

    /// Returns the existing record that Okta uses for a new account on the machine.
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

    /// Performs a FastPass sign-in; `changed`: with other signals than last time. Returns false if refused.
    pub fn sign_in(&mut self, m: MachineId, p: PersonId, changed: bool) -> bool {
        let machine = &self.truth.machines[m];
        let Some(account) = machine.account_of(p).cloned() else { return false };
        let managed = machine.configured && account.sees_configuration;
        let (shown, enrolled) = (machine.shown_identifiers(), machine.enrolled);
        let (record, person) = (account.record, self.truth.people[p].clone());
        let udid = machine.udid.clone();
        if !self.org.sign_in(&record, &person, managed, shown, changed, self.now) {
            return false;
        }
        let at = self.now;
        let one = SignIn { machine: m, person: p, record, at, udid, managed, enrolled };
        self.truth.sign_ins.push(one);
        true
    }

    /// Removes the person's account from Okta Verify.
    pub fn remove_account(&mut self, m: MachineId, p: PersonId) -> bool {
        let Some(account) = self.truth.machines[m].account_of(p).cloned() else { return false };
        self.truth.machines[m].accounts.retain(|known| known.person != p);
        self.org.remove_user(&account.record, &self.truth.people[p].id, self.now)
    }

    pub fn set_person_status(&mut self, p: PersonId, status: &'static str) {
        self.truth.people[p].status = status;
        self.org.set_user_status(&self.truth.people[p], self.now);
    }

    /// Enrolls the machine in this MDM.
    pub fn enroll(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].enrolled = true;
        self.mdm.record(m, self.now, What::Enrolled { continues: false }, delay)
    }

    /// Lets the MDM import a device that it had deleted and that was never unenrolled.
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
        self.mdm.record(m, self.now, What::Enrolled { continues: true }, delay)
    }

    /// Lets the MDM erase the machine and report it.
    pub fn wipe(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].erase();
        self.mdm.record(m, self.now, What::Left(EnrollmentState::Wiped), delay)
    }

    /// Unenrolls the machine without erasing it; its certificate may remain.
    pub fn unenroll(&mut self, m: MachineId, stays_configured: bool, delay: TimeDelta) -> usize {
        let machine = &mut self.truth.machines[m];
        machine.enrolled = false;
        machine.configured &= stays_configured;
        self.mdm.record(m, self.now, What::Left(EnrollmentState::Unenrolled), delay)
    }

    /// The machine gets another logic board: the same serial number, another UDID, and nothing on it.
    pub fn replace_logic_board(&mut self, m: MachineId) {
        let machine = &mut self.truth.machines[m];
        let number = 100 * (m + 1) + machine.former_udids.len();
        let udid =
            if machine.okta_platform == "MACOS" { mac_udid(number) } else { iphone_udid(number) };
        let former = std::mem::replace(&mut machine.udid, udid);
        machine.former_udids.push((self.now, former));
        machine.erase();
    }

    /// The machine comes back from repair with another serial number and the same UDID, and nothing on it.
    /// To the MDM it is another device; it deletes the former one.
    pub fn replace_serial_number(&mut self, m: MachineId, delay: TimeDelta) {
        let former = self.truth.add(self.truth.machines[m].clone());
        let moved =
            |machine: &mut MachineId| *machine = if *machine == m { former } else { *machine };
        self.truth.sign_ins.iter_mut().for_each(|one| moved(&mut one.machine));
        self.org.records.values_mut().for_each(|record| moved(&mut record.machine));
        self.mdm.events.iter_mut().for_each(|event| moved(&mut event.machine));
        self.mdm.told_udids.iter_mut().for_each(|(machine, _, _)| moved(machine));
        self.copied.extend(self.copied.contains(&m).then_some(former));
        self.truth.machines[former].erase();
        let machine = &mut self.truth.machines[m];
        machine.serial_number = format!("{NEW_SERIAL_NUMBER}{former:04}");
        machine.former_udids.clear();
        machine.erase();
        let is_known = self.mdm.events.iter().any(|event| event.machine == former);
        if is_known && !self.mdm.has_deleted(former) {
            self.mdm.record(former, self.now, What::Deleted { continued: false }, delay);
        }
    }

    /// Unenrolls the machine without ever reporting it.
    pub fn leave_silently(&mut self, m: MachineId) {
        self.truth.machines[m].erase();
        self.mdm.record_unreported(m, self.now, What::Left(EnrollmentState::Unenrolled));
    }

    /// The MDM deletes the device from its list.
    pub fn delete(&mut self, m: MachineId, delay: TimeDelta) -> usize {
        self.truth.machines[m].enrolled = false;
        self.mdm.record(m, self.now, What::Deleted { continued: false }, delay)
    }

    /// Lets the MDM deliver the configuration, and report the delivery if it does that.
    pub fn deliver(&mut self, m: MachineId, delay: TimeDelta) {
        self.truth.machines[m].configured = true;
        if self.mdm.habits.reports_deliveries {
            self.mdm.record(m, self.now, What::Delivered { config_version: 2 }, delay);
        }
    }

    pub fn set_lost(&mut self, m: MachineId, lost: bool, delay: TimeDelta) {
        self.truth.machines[m].lost = lost;
        self.mdm.record(m, self.now, What::Lost(lost), delay);
    }

    /// Returns whether nothing happened to the machine since the MDM deleted it.
    pub fn is_untouched_since_deletion(&self, m: MachineId) -> bool {
        let machine = &self.truth.machines[m];
        self.mdm.has_deleted(m) && machine.configured && !machine.accounts.is_empty()
    }

    pub fn is_mac(&self, m: MachineId) -> bool {
        self.truth.machines[m].platform == Some(Platform::Macos)
    }
}
