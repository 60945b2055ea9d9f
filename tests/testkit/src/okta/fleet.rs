//! The devices and users of an org, and what happens to them.
//!
//! Holds the state and its rules; how it is shown is [`devices`](super::devices).

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ids::okta_id;
use super::org::Org;

#[derive(Debug, Clone, Serialize)]
pub struct Device {
    pub id: String,
    /// `ACTIVE`, `SUSPENDED`, `DEACTIVATED`, or a word that nobody expects.
    pub status: String,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    /// As Okta shows it: `displayName`, `platform`, `registered`, and what else is known.
    pub profile: Map<String, Value>,
    pub users: Vec<DeviceUser>,
    /// Deleted records stay as places in the list, so that a cursor that points at one goes on working.
    #[serde(skip)]
    pub(super) deleted: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct DeviceUser {
    pub user_id: String,
    pub login: String,
    pub created: DateTime<Utc>,
    pub managed: bool,
    pub screen_lock: String,
}

/// A device as Okta Verify registers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// `MACOS`, `IOS`, `WINDOWS` or `ANDROID`.
    pub platform: String,
    #[serde(default)]
    pub serial_number: Option<String>,
    #[serde(default)]
    pub udid: Option<String>,
    #[serde(default)]
    pub display_name: Option<String>,
    /// Merged over the profile; a null removes a field.
    #[serde(default)]
    pub profile: Map<String, Value>,
}

impl NewDevice {
    pub fn mac(serial_number: impl Into<String>, udid: impl Into<String>) -> Self {
        Self {
            platform: "MACOS".into(),
            serial_number: Some(serial_number.into()),
            udid: Some(udid.into()),
            display_name: None,
            profile: Map::new(),
        }
    }

    /// An iPhone whose MDM tells Okta Verify nothing: neither serial number nor UDID.
    pub fn iphone() -> Self {
        Self {
            platform: "IOS".into(),
            serial_number: None,
            udid: None,
            display_name: None,
            profile: Map::new(),
        }
    }

    pub fn serial_number(mut self, serial_number: impl Into<String>) -> Self {
        self.serial_number = Some(serial_number.into());
        self
    }

    pub fn profile(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.profile.insert(name.into(), value.into());
        self
    }

    fn into_profile(self) -> Map<String, Value> {
        let apple = matches!(self.platform.as_str(), "MACOS" | "IOS");
        let name = self
            .display_name
            .unwrap_or_else(|| format!("Example {}", self.platform.to_lowercase()));
        let mut profile = json!({
            "displayName": name,
            "platform": self.platform,
            "manufacturer": if apple { "APPLE" } else { "Example" },
            "osVersion": "26.1.0",
            "registered": true,
            "secureHardwarePresent": true,
        });
        for (field, value) in [("serialNumber", self.serial_number), ("udid", self.udid)] {
            if let Some(value) = value {
                profile[field] = json!(value);
            }
        }
        let Value::Object(mut profile) = profile else { unreachable!("made as an object") };
        for (field, value) in self.profile {
            if value.is_null() {
                profile.remove(&field);
            } else {
                profile.insert(field, value);
            }
        }
        profile
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the org has no {kind} {id}")]
pub struct NoSuch {
    pub kind: &'static str,
    pub id: String,
}

#[derive(Debug)]
pub(super) struct Fleet {
    host: String,
    devices: Vec<Device>,
    /// (id, login)
    users: Vec<(String, String)>,
    /// What a list shows while the search lags behind.
    frozen: Option<Vec<Device>>,
}

impl Fleet {
    pub fn of(host: &str) -> Self {
        Self { host: host.to_string(), devices: Vec::new(), users: Vec::new(), frozen: None }
    }

    pub fn len(&self) -> usize {
        self.devices.iter().filter(|device| !device.deleted).count()
    }

    /// What lists and searches go through, deleted places included.
    pub fn searchable(&self) -> &[Device] {
        self.frozen.as_ref().unwrap_or(&self.devices)
    }

    pub fn find_mut(&mut self, id: &str) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id && !device.deleted)
    }

    pub fn freeze_search(&mut self, frozen: bool) {
        self.frozen = frozen.then(|| self.devices.clone());
    }

    fn require(&mut self, id: &str) -> Result<&mut Device, NoSuch> {
        self.find_mut(id).ok_or_else(|| NoSuch { kind: "device", id: id.to_string() })
    }

    fn add(&mut self, new: NewDevice) -> String {
        let id = okta_id("guo", &format!("{} {}", self.host, self.devices.len()));
        let now = now();
        self.devices.push(Device {
            id: id.clone(),
            status: "ACTIVE".into(),
            created: now,
            last_updated: now,
            profile: new.into_profile(),
            users: Vec::new(),
            deleted: false,
        });
        id
    }
}

/// Devices and users, as tests and the control API handle them.
impl Org {
    /// Registers a device, as Okta Verify does; `ACTIVE`, without users. Twice the same serial number gives a
    /// second record, as after a wipe. Returns its id (`guo…`).
    pub fn add_device(&self, new: NewDevice) -> String {
        self.state().fleet.add(new)
    }

    /// A whole fleet that has been there for a month, each device with a user of its own who has signed
    /// in with FastPass. One by one, a hundred thousand would take minutes.
    pub fn add_fleet(&self, devices: impl IntoIterator<Item = NewDevice>) {
        let mut state = self.state();
        let host = self.host();
        for new in devices {
            let login = format!("user{}@example.com", state.fleet.devices.len());
            let user_id = okta_id("00u", &format!("{host} {login}"));
            state.fleet.add(new);
            let link = DeviceUser {
                user_id: user_id.clone(),
                login: login.clone(),
                created: now(),
                managed: true,
                screen_lock: "BIOMETRIC".into(),
            };
            if let Some(device) = state.fleet.devices.last_mut() {
                device.created -= chrono::TimeDelta::days(30);
                device.last_updated = device.created;
                device.users.push(link);
            }
            state.fleet.users.push((user_id, login));
        }
    }

    /// Returns the id of the user (`00u…`).
    pub fn add_user(&self, login: &str) -> String {
        let mut state = self.state();
        let id = okta_id("00u", &format!("{} {login}", self.host()));
        if !state.fleet.users.iter().any(|(other, _)| *other == id) {
            state.fleet.users.push((id.clone(), login.to_string()));
        }
        id
    }

    /// The user sets up Okta Verify on the device: linked, `NOT_MANAGED`.
    pub fn enroll(&self, device: &str, user: &str) -> Result<(), NoSuch> {
        let mut state = self.state();
        let login = state
            .fleet
            .users
            .iter()
            .find(|(id, _)| id == user)
            .map(|(_, login)| login.clone())
            .ok_or_else(|| NoSuch { kind: "user", id: user.to_string() })?;
        let device = state.fleet.require(device)?;
        if !device.users.iter().any(|link| link.user_id == user) {
            device.users.push(DeviceUser {
                user_id: user.to_string(),
                login,
                created: now(),
                managed: false,
                screen_lock: "BIOMETRIC".into(),
            });
            device.last_updated = now();
        }
        Ok(())
    }

    /// The user signs in with FastPass on a device that has its certificate or secret: `MANAGED` from now on.
    /// By default this does not move the device's `lastUpdated`.
    pub fn sign_in_with_fastpass(&self, device: &str, user: &str) -> Result<(), NoSuch> {
        self.enroll(device, user)?;
        let mut state = self.state();
        let moves = state.knobs.sign_in_moves_last_updated;
        let device = state.fleet.require(device)?;
        for link in device.users.iter_mut().filter(|link| link.user_id == user) {
            link.managed = true;
        }
        if moves {
            device.last_updated = now();
        }
        Ok(())
    }

    /// Anything else that can happen to a device. Does not move `lastUpdated` by itself.
    pub fn change_device(
        &self,
        device: &str,
        change: impl FnOnce(&mut Device),
    ) -> Result<(), NoSuch> {
        change(self.state().fleet.require(device)?);
        Ok(())
    }

    /// As an admin does in the console.
    pub fn set_device_status(&self, device: &str, status: &str) -> Result<(), NoSuch> {
        self.change_device(device, |device| device.set_status(status))
    }

    pub fn delete_device(&self, device: &str) -> Result<(), NoSuch> {
        self.change_device(device, |device| device.deleted = true)
    }

    pub fn devices(&self) -> Vec<Device> {
        self.state().fleet.devices.iter().filter(|device| !device.deleted).cloned().collect()
    }
}

impl Device {
    pub(super) fn set_status(&mut self, status: &str) {
        self.status = status.to_string();
        self.last_updated = now();
        if status == "DEACTIVATED" {
            self.users.clear();
        }
    }
}

/// Okta's times have milliseconds; finer ones would compare differently after a round trip.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

pub(super) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
