//! The devices and users of an org.
//!
//! The state and its rules; [`devices`](super::devices) has the responses.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ids::okta_id;
use super::org::Org;

#[derive(Debug, Clone, Serialize)]
pub struct Device {
    pub id: String,
    /// `ACTIVE`, `SUSPENDED`, `DEACTIVATED`, or an unexpected value.
    pub status: String,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    /// In Okta's format: `displayName`, `platform`, `registered` and others.
    pub profile: Map<String, Value>,
    pub users: Vec<DeviceUser>,
    /// Whether Okta Verify on the machine still has an account of this record; false after a wipe.
    #[serde(skip)]
    pub(super) installed: bool,
    /// Deleted records stay in the list, so that cursors that point at them remain valid.
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

/// A device to register.
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
    /// Merged into the profile; a null removes a field.
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

    /// Returns an iPhone whose MDM passes neither serial number nor UDID to Okta Verify.
    pub fn iphone() -> Self {
        Self {
            platform: "IOS".into(),
            serial_number: None,
            udid: None,
            display_name: None,
            profile: Map::new(),
        }
    }

    /// Returns a foreign machine that claims a serial number and has no UDID.
    pub fn claiming(platform: impl Into<String>, serial_number: impl Into<String>) -> Self {
        Self { platform: platform.into(), ..Self::iphone() }.serial_number(serial_number)
    }

    /// Returns an iPhone whose MDM did not replace the macros of its app configuration.
    pub fn iphone_with_unfilled_macros() -> Self {
        Self { udid: Some("$UDID".into()), ..Self::iphone() }.serial_number("$SERIALNUMBER")
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
        let Value::Object(mut profile) = profile else { unreachable!("is an object") };
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
pub struct UnknownId {
    pub kind: &'static str,
    pub id: String,
}

#[derive(Debug)]
pub(super) struct Fleet {
    host: String,
    devices: Vec<Device>,
    users: Vec<User>,
    /// The devices that lists show while the search lags behind.
    frozen: Option<Vec<Device>>,
    /// Okta's time, if it is set.
    clock: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    id: String,
    login: String,
    /// `ACTIVE`, `SUSPENDED`, `DEPROVISIONED`.
    status: String,
}

impl Fleet {
    pub fn of(host: &str) -> Self {
        Self {
            host: host.to_string(),
            devices: Vec::new(),
            users: Vec::new(),
            frozen: None,
            clock: None,
        }
    }

    pub fn len(&self) -> usize {
        self.devices.iter().filter(|device| !device.deleted).count()
    }

    /// Returns the devices for lists and searches, including deleted ones.
    pub fn searchable(&self) -> &[Device] {
        self.frozen.as_ref().unwrap_or(&self.devices)
    }

    pub fn find_mut(&mut self, id: &str) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id && !device.deleted)
    }

    pub fn freeze_search(&mut self, frozen: bool) {
        self.frozen = frozen.then(|| self.devices.clone());
    }

    /// Returns Okta's status of a user.
    pub fn user_status(&self, id: &str) -> &str {
        self.users.iter().find(|user| user.id == id).map_or("ACTIVE", |user| &user.status)
    }

    pub fn set_user_status(&mut self, id: &str, status: &str) -> Result<(), UnknownId> {
        let user = self.users.iter_mut().find(|user| user.id == id);
        let user = user.ok_or_else(|| UnknownId { kind: "user", id: id.to_string() })?;
        user.status = status.to_string();
        Ok(())
    }

    pub fn set_clock(&mut self, now: Option<DateTime<Utc>>) {
        self.clock = now;
    }

    /// Returns Okta's time, in milliseconds like in its responses.
    pub fn now(&self) -> DateTime<Utc> {
        let now = self.clock.unwrap_or_else(Utc::now);
        DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
    }

    /// Links a user to a record, if not linked yet.
    fn link(&mut self, device: &str, user: &str, moves: bool) -> Result<(), UnknownId> {
        let now = self.now();
        let found = self.users.iter().find(|known| known.id == user);
        let login = found.map(|known| known.login.clone());
        let login = login.ok_or_else(|| UnknownId { kind: "user", id: user.to_string() })?;
        let device = self.require(device)?;
        if device.users.iter().all(|link| link.user_id != user) {
            device.users.push(DeviceUser {
                user_id: user.to_string(),
                login,
                created: now,
                managed: false,
                screen_lock: "BIOMETRIC".into(),
            });
            if moves {
                device.last_updated = now;
            }
        }
        Ok(())
    }

    fn require(&mut self, id: &str) -> Result<&mut Device, UnknownId> {
        self.find_mut(id).ok_or_else(|| UnknownId { kind: "device", id: id.to_string() })
    }

    fn add(&mut self, new: NewDevice) -> String {
        let id = okta_id("guo", &format!("{} {}", self.host, self.devices.len()));
        let now = self.now();
        self.devices.push(Device {
            id: id.clone(),
            status: "ACTIVE".into(),
            created: now,
            last_updated: now,
            profile: new.into_profile(),
            users: Vec::new(),
            installed: true,
            deleted: false,
        });
        id
    }
}

/// Operations on devices and users for tests and the control API.
impl Org {
    /// Registers a device like Okta Verify: `ACTIVE`, without users. The same serial number twice creates a second
    /// record, as after a wipe. Returns the ID (`guo…`).
    pub fn add_device(&self, new: NewDevice) -> String {
        self.state().fleet.add(new)
    }

    /// Adds a fleet that was registered a month ago, each device with its own managed user. Much faster than
    /// adding devices individually.
    pub fn add_fleet(&self, devices: impl IntoIterator<Item = NewDevice>) {
        let mut state = self.state();
        let host = self.first_host();
        for new in devices {
            let login = format!("user{}@example.com", state.fleet.devices.len());
            let user_id = okta_id("00u", &format!("{host} {login}"));
            state.fleet.add(new);
            let link = DeviceUser {
                user_id: user_id.clone(),
                login: login.clone(),
                created: state.fleet.now(),
                managed: true,
                screen_lock: "BIOMETRIC".into(),
            };
            if let Some(device) = state.fleet.devices.last_mut() {
                device.created -= chrono::TimeDelta::days(30);
                device.last_updated = device.created;
                device.users.push(link);
            }
            state.fleet.users.push(User { id: user_id, login, status: "ACTIVE".into() });
        }
    }

    /// Adds a user. Returns the ID (`00u…`).
    pub fn add_user(&self, login: &str) -> String {
        let mut state = self.state();
        let id = okta_id("00u", &format!("{} {login}", self.first_host()));
        if !state.fleet.users.iter().any(|other| other.id == id) {
            let (id, login) = (id.clone(), login.to_string());
            state.fleet.users.push(User { id, login, status: "ACTIVE".into() });
        }
        id
    }

    /// Sets up Okta Verify for the user on the device: linked, `NOT_MANAGED`.
    pub fn enroll(&self, device: &str, user: &str) -> Result<(), UnknownId> {
        let mut state = self.state();
        let moves = state.knobs.registration_moves_last_updated;
        state.fleet.link(device, user, moves)
    }

    /// Signs the user in with FastPass on a device with certificate or secret, which makes the user `MANAGED`.
    /// By default this does not update the device's `lastUpdated`.
    pub fn sign_in_with_fastpass(&self, device: &str, user: &str) -> Result<(), UnknownId> {
        self.enroll(device, user)?;
        let mut state = self.state();
        let (moves, now) = (state.knobs.sign_in_moves_last_updated, state.fleet.now());
        let device = state.fleet.require(device)?;
        for link in device.users.iter_mut().filter(|link| link.user_id == user) {
            link.managed = true;
        }
        if moves {
            device.last_updated = now;
        }
        Ok(())
    }

    /// Applies an arbitrary change to a device. Does not update `lastUpdated` by itself.
    pub fn change_device(
        &self,
        device: &str,
        change: impl FnOnce(&mut Device),
    ) -> Result<(), UnknownId> {
        change(self.state().fleet.require(device)?);
        Ok(())
    }

    /// Sets the status, like an admin in the Admin Console.
    pub fn set_device_status(&self, device: &str, status: &str) -> Result<(), UnknownId> {
        let now = self.state().fleet.now();
        self.change_device(device, |device| device.set_status(status, now))
    }

    pub fn delete_device(&self, device: &str) -> Result<(), UnknownId> {
        self.change_device(device, |device| device.deleted = true)
    }

    pub fn devices(&self) -> Vec<Device> {
        self.state().fleet.devices.iter().filter(|device| !device.deleted).cloned().collect()
    }
}

impl Device {
    pub(super) fn set_status(&mut self, status: &str, now: DateTime<Utc>) {
        self.status = status.to_string();
        self.last_updated = now;
        if status == "DEACTIVATED" {
            self.users.clear();
        }
    }
}

pub(super) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
