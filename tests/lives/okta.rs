//! A simulated Okta org as pure state: device records, their users, and what changes `lastUpdated`. Behavior
//! that Okta does not document is a switch; the verdict must be safe with any combination.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use okta_device_trust::model::{OktaDevice, OktaDeviceUser};

use crate::truth::{MachineId, Person, Time};

/// Undocumented behavior of Okta.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent unknowns")]
pub struct Switches {
    /// A wiped Mac that registers again gets its old record, by its UDID.
    pub wiped_mac_gets_old_record: bool,
    /// A second macOS user gets a second record; otherwise they are a second user of the same record.
    pub second_user_is_second_record: bool,
    /// Adding a user updates the `lastUpdated` of an existing record.
    pub registration_moves: bool,
    /// A sign-in with unchanged signals updates `lastUpdated`.
    pub unchanged_sign_in_moves: bool,
    /// Removing a user updates `lastUpdated`.
    pub unlinking_moves: bool,
    /// Adding a user who is already listed updates the `created` of the user.
    pub adding_again_renews: bool,
}

/// A device record with its history.
#[derive(Debug, Clone)]
pub struct Record {
    /// The machine that it was created for.
    pub machine: MachineId,
    /// The current state; `None` if it was deleted.
    pub device: Option<OktaDevice>,
    pub history: Vec<(Time, Option<OktaDevice>)>,
}

#[derive(Debug, Clone)]
pub struct Org {
    pub switches: Switches,
    pub records: BTreeMap<String, Record>,
    next: usize,
}

impl Org {
    pub fn new(switches: Switches) -> Self {
        Self { switches, records: BTreeMap::new(), next: 1 }
    }

    pub fn device(&self, id: &str) -> Option<&OktaDevice> {
        self.records.get(id)?.device.as_ref()
    }

    /// Creates a record for a machine, with this user.
    pub fn register(
        &mut self,
        machine: MachineId,
        platform: &str,
        (serial_number, udid): (Option<String>, Option<String>),
        person: &Person,
        now: Time,
    ) -> String {
        let id = format!("guo{:04}", self.next);
        self.next += 1;
        let device = OktaDevice {
            id: id.clone(),
            platform: platform.to_owned(),
            status: "ACTIVE".to_owned(),
            serial_number,
            udid,
            display_name: None,
            created: now,
            last_updated: now,
            users: Some(vec![new_user(person, now)]),
        };
        let history = vec![(now, Some(device.clone()))];
        self.records.insert(id.clone(), Record { machine, device: Some(device), history });
        id
    }

    /// Creates a record before any device registers.
    pub fn pre_register(&mut self, machine: MachineId, serial_number: &str, now: Time) -> String {
        let nobody = Person { id: String::new(), login: String::new(), status: "ACTIVE" };
        let shown = (Some(serial_number.to_owned()), None);
        let id = self.register(machine, "MACOS", shown, &nobody, now);
        self.change(&id, now, |device| {
            device.users = Some(Vec::new());
            "CREATED".clone_into(&mut device.status);
            true
        });
        id
    }

    /// Adds a user to an active record. Returns false if Okta refuses it.
    pub fn add_user(&mut self, id: &str, person: &Person, now: Time) -> bool {
        let switches = self.switches;
        self.change(id, now, |device| {
            let users = device.users.get_or_insert_default();
            match users.iter_mut().find(|user| user.id == person.id) {
                Some(known) if switches.adding_again_renews => *known = new_user(person, now),
                Some(_) => {}
                None => users.push(new_user(person, now)),
            }
            users.sort_by(|one, other| one.id.cmp(&other.id));
            switches.registration_moves
        })
    }

    /// Performs a FastPass sign-in on the record; `changed`: with other signals than before. Returns false if Okta
    /// refuses it.
    pub fn sign_in(
        &mut self,
        id: &str,
        person: &Person,
        managed: bool,
        (serial_number, udid): (Option<String>, Option<String>),
        changed: bool,
        now: Time,
    ) -> bool {
        let is_user = |device: &OktaDevice| {
            device.is_active() && users_of(device).iter().any(|user| user.id == person.id)
        };
        if person.status != "ACTIVE" || !self.device(id).is_some_and(is_user) {
            return false;
        }
        let moves = self.switches.unchanged_sign_in_moves || changed;
        self.change(id, now, |device| {
            let identity = (device.serial_number.clone(), device.udid.clone());
            let shown = (serial_number.or(identity.0.clone()), udid.or(identity.1.clone()));
            let renamed = shown != identity;
            (device.serial_number, device.udid) = shown;
            let users = device.users.get_or_insert_default();
            for user in users.iter_mut().filter(|user| user.id == person.id) {
                let status = if managed { "MANAGED" } else { "NOT_MANAGED" };
                user.management_status = Some(status.to_owned());
            }
            moves || renamed
        })
    }

    pub fn set_status(&mut self, id: &str, from: &[&str], to: &str, now: Time) -> bool {
        if !self.device(id).is_some_and(|device| from.contains(&device.status.as_str())) {
            return false;
        }
        self.change(id, now, |device| {
            to.clone_into(&mut device.status);
            if to == "DEACTIVATED" {
                device.users = Some(Vec::new());
            }
            true
        })
    }

    /// Deletes a deactivated record.
    pub fn delete(&mut self, id: &str, now: Time) -> bool {
        let Some(record) = self.records.get_mut(id) else { return false };
        if record.device.as_ref().is_none_or(|device| device.status != "DEACTIVATED") {
            return false;
        }
        record.device = None;
        record.history.push((now, None));
        true
    }

    pub fn remove_user(&mut self, id: &str, user: &str, now: Time) -> bool {
        let moves = self.switches.unlinking_moves;
        let has = |device: &OktaDevice| users_of(device).iter().any(|known| known.id == user);
        self.device(id).is_some_and(has)
            && self.change(id, now, |device| {
                device.users.get_or_insert_default().retain(|known| known.id != user);
                moves
            })
    }

    /// Changes Okta's status of the user, on all records.
    pub fn set_user_status(&mut self, person: &Person, now: Time) {
        let ids: Vec<String> = self.records.keys().cloned().collect();
        for id in ids {
            self.change(&id, now, |device| {
                let users = device.users.get_or_insert_default().iter_mut();
                for user in users.filter(|user| user.id == person.id) {
                    user.status = Some(person.status.to_owned());
                }
                false
            });
        }
    }

    /// Returns all records as of that time, ordered by ID.
    pub fn as_of(&self, at: Time) -> Vec<OktaDevice> {
        self.records.values().filter_map(|record| record.as_of(at).cloned()).collect()
    }

    /// Changes an existing record; `change` returns whether `lastUpdated` changes.
    fn change(
        &mut self,
        id: &str,
        now: Time,
        change: impl FnOnce(&mut OktaDevice) -> bool,
    ) -> bool {
        let Some(record) = self.records.get_mut(id) else { return false };
        let Some(device) = &mut record.device else { return false };
        let before = device.clone();
        if change(device) {
            // Two visible changes never have the same time.
            device.last_updated = now.max(device.last_updated + TimeDelta::milliseconds(1));
        }
        if *device != before {
            record.history.push((now, Some(device.clone())));
        }
        true
    }
}

impl Record {
    pub fn as_of(&self, at: Time) -> Option<&OktaDevice> {
        let past = self.history.iter().rev().find(|(since, _)| *since <= at)?;
        past.1.as_ref()
    }

    /// Iterates over the states of the record from `since` on.
    pub fn states_since(&self, since: Time) -> impl Iterator<Item = &OktaDevice> {
        let later = self.history.iter().filter(move |(at, _)| *at > since);
        self.as_of(since).into_iter().chain(later.filter_map(|(_, device)| device.as_ref()))
    }

    pub fn created(&self) -> Time {
        self.history[0].0
    }
}

pub fn users_of(device: &OktaDevice) -> &[OktaDeviceUser] {
    device.users.as_deref().unwrap_or_default()
}

fn new_user(person: &Person, now: Time) -> OktaDeviceUser {
    OktaDeviceUser {
        id: person.id.clone(),
        login: person.login.clone(),
        management_status: Some("NOT_MANAGED".to_owned()),
        status: Some(person.status.to_owned()),
        created: Some(now),
    }
}
