//! The ground truth: the devices, their users, and what was done with them. Neither the product nor Okta
//! knows all of it. The reference model checks verdicts against it.

use chrono::{DateTime, Utc};
use okta_device_trust::model::Platform;

pub type Time = DateTime<Utc>;

/// Index of a machine in [`Truth::machines`].
pub type MachineId = usize;

/// Index of a person in [`Truth::people`].
pub type PersonId = usize;

/// The identifiers that Okta Verify on a machine reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Its own identifiers.
    Own,
    /// Its own, once the configuration is installed, as on iPhones.
    OwnWithConfiguration,
    /// Nothing: the iPhone's configuration does not contain the identifiers.
    Nothing,
    /// A macro that the MDM did not replace.
    Macro,
    /// Those of another machine, or some of them.
    Claimed { serial_number: Option<String>, udid: Option<String> },
}

/// A physical machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub serial_number: String,
    pub udid: String,
    /// The UDIDs that it had before its logic board was replaced, and until when.
    pub former_udids: Vec<(Time, String)>,
    /// `None`: Android or Windows.
    pub platform: Option<Platform>,
    /// The platform in Okta's spelling.
    pub okta_platform: &'static str,
    pub shown: Shown,
    /// Whether this MDM manages it now.
    pub enrolled: bool,
    /// Whether it has a certificate or secret that Okta accepts.
    pub configured: bool,
    pub lost: bool,
    /// Accounts in Okta Verify on it.
    pub accounts: Vec<Account>,
}

/// An account in Okta Verify, and Okta's record that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub person: PersonId,
    pub record: String,
    /// Whether the account can use the machine's certificate: another macOS user may not.
    pub sees_configuration: bool,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub login: String,
    /// Okta's status of the user.
    pub status: &'static str,
}

/// A FastPass sign-in.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub machine: MachineId,
    pub person: PersonId,
    pub record: String,
    pub at: Time,
    /// The UDID of the machine then.
    pub udid: String,
    /// Whether Okta considered the device managed.
    pub managed: bool,
    /// Whether this MDM managed the machine at that time.
    pub enrolled: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Truth {
    pub machines: Vec<Machine>,
    pub people: Vec<Person>,
    pub sign_ins: Vec<SignIn>,
}

impl Machine {
    pub fn new(platform: Platform, serial_number: &str, udid: &str) -> Self {
        let mac = platform == Platform::Macos;
        Self {
            serial_number: serial_number.to_owned(),
            udid: udid.to_owned(),
            former_udids: Vec::new(),
            platform: Some(platform),
            okta_platform: if mac { "MACOS" } else { "IOS" },
            shown: if mac { Shown::Own } else { Shown::OwnWithConfiguration },
            enrolled: false,
            configured: false,
            lost: false,
            accounts: Vec::new(),
        }
    }

    /// Returns a foreign machine whose Okta Verify reports these identifiers.
    pub fn stranger(okta_platform: &'static str, number: usize, shown: Shown) -> Self {
        Self {
            okta_platform,
            platform: None,
            shown,
            ..Self::new(Platform::Macos, &format!("STRANGER{number:04}"), &mac_udid(9000 + number))
        }
    }

    /// Returns the serial number and UDID that Okta Verify reports now.
    pub fn shown_identifiers(&self) -> (Option<String>, Option<String>) {
        let own = || (Some(self.serial_number.clone()), Some(self.udid.clone()));
        match &self.shown {
            Shown::Own => own(),
            Shown::OwnWithConfiguration if self.configured => own(),
            Shown::OwnWithConfiguration | Shown::Nothing => (None, None),
            Shown::Macro => (Some("$SERIALNUMBER".to_owned()), Some("$UDID".to_owned())),
            Shown::Claimed { serial_number, udid } => (serial_number.clone(), udid.clone()),
        }
    }

    /// Whether it came back from repair with another serial number.
    pub fn has_new_serial_number(&self) -> bool {
        self.serial_number.starts_with(NEW_SERIAL_NUMBER)
    }

    pub fn udid_at(&self, at: Time) -> &str {
        let former = self.former_udids.iter().find(|(until, _)| at < *until);
        former.map_or(&self.udid, |(_, udid)| udid)
    }

    pub fn account_of(&self, person: PersonId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.person == person)
    }

    /// Erases the machine. This removes its accounts and configuration and ends lost mode.
    pub fn erase(&mut self) {
        self.enrolled = false;
        self.configured = false;
        self.lost = false;
        self.accounts.clear();
    }
}

impl Truth {
    pub fn add_person(&mut self, name: &str) -> PersonId {
        self.people.push(Person {
            id: format!("00u{name}"),
            login: format!("{name}@acme.example"),
            status: "ACTIVE",
        });
        self.people.len() - 1
    }

    pub fn add(&mut self, machine: Machine) -> MachineId {
        self.machines.push(machine);
        self.machines.len() - 1
    }

    /// Finds the machine with this serial number.
    pub fn find(&self, serial_number: &str) -> Option<MachineId> {
        self.machines.iter().position(|machine| machine.serial_number == serial_number)
    }
}

/// The prefix of serial numbers assigned in a repair.
pub const NEW_SERIAL_NUMBER: &str = "LIVESNEW";

/// Returns the UDID of the Mac with this number.
pub fn mac_udid(number: usize) -> String {
    format!("564D1B2C-0000-4000-8000-{number:012X}")
}

/// Returns the UDID of the iPhone with this number.
pub fn iphone_udid(number: usize) -> String {
    format!("00008030-{number:016X}")
}
