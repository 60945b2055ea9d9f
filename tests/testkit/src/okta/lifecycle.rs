//! Lifecycle operations on devices. Undocumented behavior of Okta is a knob.

use chrono::{DateTime, Utc};

use super::fleet::{Device, NewDevice, UnknownId};
use super::org::Org;

/// Why Okta or Okta Verify rejects an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    UnknownId(#[from] UnknownId),
    /// 403 `E0000152`.
    #[error("the record is {0}")]
    Status(String),
    /// The machine was wiped in the meantime.
    #[error("Okta Verify on the machine has no account of this record")]
    NotInstalled,
}

impl Org {
    /// Sets Okta's time; `None` uses the clock.
    pub fn set_time(&self, now: Option<DateTime<Utc>>) {
        self.state().fleet.set_clock(now);
    }

    /// Adds the user's account in Okta Verify on a machine. Returns the ID of the new or existing record.
    ///
    /// # Errors
    /// [`Refused`] if the machine's record is not `ACTIVE` or the user is unknown.
    pub fn register(&self, machine: &NewDevice, user: &str) -> Result<String, Refused> {
        let (second_record, keeps_record) = {
            let state = self.state();
            let keeps = state.knobs.wiped_mac_keeps_its_record && machine.platform == "MACOS";
            (state.knobs.second_user_is_second_record, keeps)
        };
        let records = self.devices();
        let mut own = records.iter().rev().filter(|record| machine.is_of(record));
        let mine = |record: &&Device| record.has_user(user) || !second_record;
        let installed = own.clone().filter(|record| record.installed).find(mine);
        let id = match installed.or_else(|| own.find(|record| keeps_record && !record.installed)) {
            Some(record) if record.status != "ACTIVE" => {
                return Err(Refused::Status(record.status.clone()));
            }
            Some(record) => record.id.clone(),
            None => self.add_device(machine.clone()),
        };
        self.enroll(&id, user)?;
        self.change_device(&id, |record| record.installed = true)?;
        Ok(id)
    }

    /// Signs the user in with FastPass on a managed machine.
    ///
    /// # Errors
    /// [`Refused`] if the record is not `ACTIVE` or no longer on the machine, or the user is not registered.
    pub fn sign_in(&self, device: &str, user: &str) -> Result<(), Refused> {
        let record = self.find_device(device)?;
        if record.status != "ACTIVE" {
            return Err(Refused::Status(record.status));
        }
        if !record.installed {
            return Err(Refused::NotInstalled);
        }
        if !record.has_user(user) {
            return Err(UnknownId { kind: "user of the device", id: user.to_string() }.into());
        }
        Ok(self.sign_in_with_fastpass(device, user)?)
    }

    /// # Errors
    /// [`Refused`] unless the record is `ACTIVE`.
    pub fn suspend(&self, device: &str) -> Result<(), Refused> {
        self.change_status(device, &["ACTIVE"], "SUSPENDED")
    }

    /// # Errors
    /// [`Refused`] unless the record is `SUSPENDED`.
    pub fn unsuspend(&self, device: &str) -> Result<(), Refused> {
        self.change_status(device, &["SUSPENDED"], "ACTIVE")
    }

    /// Unlinks all users of the record.
    ///
    /// # Errors
    /// [`Refused`] unless the record is `ACTIVE` or `SUSPENDED`.
    pub fn deactivate(&self, device: &str) -> Result<(), Refused> {
        self.change_status(device, &["ACTIVE", "SUSPENDED"], "DEACTIVATED")
    }

    /// # Errors
    /// [`Refused`] unless the record is `DEACTIVATED`.
    pub fn activate(&self, device: &str) -> Result<(), Refused> {
        self.change_status(device, &["DEACTIVATED"], "ACTIVE")
    }

    /// # Errors
    /// [`Refused`] unless the record is `DEACTIVATED`.
    pub fn delete(&self, device: &str) -> Result<(), Refused> {
        let status = self.find_device(device)?.status;
        if status != "DEACTIVATED" {
            return Err(Refused::Status(status));
        }
        Ok(self.delete_device(device)?)
    }

    /// Erases the machine. Okta is not informed; its record stays.
    ///
    /// # Errors
    /// [`UnknownId`].
    pub fn wipe(&self, device: &str) -> Result<(), UnknownId> {
        self.change_device(device, |record| record.installed = false)
    }

    /// Unlinks a user from a device.
    ///
    /// # Errors
    /// [`UnknownId`].
    pub fn remove_user(&self, device: &str, user: &str) -> Result<(), UnknownId> {
        let (now, moves) = {
            let state = self.state();
            (state.fleet.now(), state.knobs.unlinking_moves_last_updated)
        };
        self.change_device(device, |record| {
            record.users.retain(|link| link.user_id != user);
            if moves {
                record.last_updated = now;
            }
        })
    }

    /// Sets Okta's status of a user: `ACTIVE`, `SUSPENDED`, `DEPROVISIONED`. The user's devices do not change.
    ///
    /// # Errors
    /// [`UnknownId`].
    pub fn set_user_status(&self, user: &str, status: &str) -> Result<(), UnknownId> {
        self.state().fleet.set_user_status(user, status)
    }

    /// # Errors
    /// [`UnknownId`].
    pub fn deprovision_user(&self, user: &str) -> Result<(), UnknownId> {
        self.set_user_status(user, "DEPROVISIONED")
    }

    fn change_status(&self, device: &str, from: &[&str], to: &str) -> Result<(), Refused> {
        let status = self.find_device(device)?.status;
        if !from.contains(&status.as_str()) {
            return Err(Refused::Status(status));
        }
        Ok(self.set_device_status(device, to)?)
    }

    /// Returns a record.
    ///
    /// # Errors
    /// [`UnknownId`].
    pub fn find_device(&self, device: &str) -> Result<Device, UnknownId> {
        let found = self.state().fleet.find_mut(device).cloned();
        found.ok_or_else(|| UnknownId { kind: "device", id: device.to_string() })
    }
}

impl NewDevice {
    /// Returns whether a record belongs to this machine.
    fn is_of(&self, record: &Device) -> bool {
        let shows = |field: &str, ours: &Option<String>| {
            ours.is_some()
                && record.profile.get(field).and_then(|text| text.as_str()) == ours.as_deref()
        };
        let same_platform = shows("platform", &Some(self.platform.clone()));
        let by_udid = shows("udid", &self.udid);
        same_platform
            && (by_udid || (self.udid.is_none() && shows("serialNumber", &self.serial_number)))
    }
}

impl Device {
    fn has_user(&self, user: &str) -> bool {
        self.users.iter().any(|link| link.user_id == user)
    }
}
