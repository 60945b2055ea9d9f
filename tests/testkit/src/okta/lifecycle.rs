//! What people do to devices: verbs for tests of whole lives. What Okta does not document is a knob.

use chrono::{DateTime, Utc};

use super::fleet::{Device, NewDevice, NoSuch};
use super::org::Org;

/// Why Okta or Okta Verify refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    NoSuch(#[from] NoSuch),
    /// 403 `E0000152`.
    #[error("the record is {0}")]
    Status(String),
    /// The machine was wiped since.
    #[error("Okta Verify on the machine has no account of this record")]
    NotInstalled,
}

impl Org {
    /// Gives Okta's time, in place of the clock.
    pub fn set_time(&self, now: Option<DateTime<Utc>>) {
        self.state().fleet.set_clock(now);
    }

    /// The user adds his account in Okta Verify on a machine. Returns the id of the record, a new one
    /// or the machine's own.
    ///
    /// # Errors
    /// [`Refused`] where the machine's record is not `ACTIVE`, and for an unknown user.
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

    /// The user signs in with FastPass on a managed machine.
    ///
    /// # Errors
    /// [`Refused`] where the record is not `ACTIVE` or not on the machine any more, or where he was not
    /// registered.
    pub fn sign_in(&self, device: &str, user: &str) -> Result<(), Refused> {
        let record = self.find_device(device)?;
        if record.status != "ACTIVE" {
            return Err(Refused::Status(record.status));
        }
        if !record.installed {
            return Err(Refused::NotInstalled);
        }
        if !record.has_user(user) {
            return Err(NoSuch { kind: "user of the device", id: user.to_string() }.into());
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

    /// The machine is erased. Okta learns nothing of it: its record stays as it was.
    ///
    /// # Errors
    /// [`NoSuch`].
    pub fn wipe(&self, device: &str) -> Result<(), NoSuch> {
        self.change_device(device, |record| record.installed = false)
    }

    /// Unlinks a user from a device.
    ///
    /// # Errors
    /// [`NoSuch`].
    pub fn remove_user(&self, device: &str, user: &str) -> Result<(), NoSuch> {
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

    /// Sets Okta's status of a user: `ACTIVE`, `SUSPENDED`, `DEPROVISIONED`. His devices stay as they
    /// are.
    ///
    /// # Errors
    /// [`NoSuch`].
    pub fn set_user_status(&self, user: &str, status: &str) -> Result<(), NoSuch> {
        self.state().fleet.set_user_status(user, status)
    }

    /// # Errors
    /// [`NoSuch`].
    pub fn deprovision_user(&self, user: &str) -> Result<(), NoSuch> {
        self.set_user_status(user, "DEPROVISIONED")
    }

    fn change_status(&self, device: &str, from: &[&str], to: &str) -> Result<(), Refused> {
        let status = self.find_device(device)?.status;
        if !from.contains(&status.as_str()) {
            return Err(Refused::Status(status));
        }
        Ok(self.set_device_status(device, to)?)
    }

    /// A record as Okta has it now.
    ///
    /// # Errors
    /// [`NoSuch`].
    pub fn find_device(&self, device: &str) -> Result<Device, NoSuch> {
        let found = self.state().fleet.find_mut(device).cloned();
        found.ok_or_else(|| NoSuch { kind: "device", id: device.to_string() })
    }
}

impl NewDevice {
    /// Whether a record is of this very machine.
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
