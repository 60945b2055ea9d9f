//! What the MDM reports: late, out of order, twice, in batches with one stamp, by a clock that is off by
//! minutes. It never says of a device what was not so; it may not know everything.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, EnrollmentState, LostMode,
};
use okta_device_trust::model::{
    DeviceReport, IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid,
};

use crate::truth::{Machine, MachineId, Time};

/// How an MDM reports.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits")]
pub struct Habits {
    /// Its clock is off by this much.
    pub skew: TimeDelta,
    /// Reports that arrive at once may carry a time that is minutes ahead, each by another amount.
    pub jumps_ahead: bool,
    /// Reports go out once a night, all with one stamp.
    pub batched: bool,
    pub tells_enrolled_at: bool,
    pub tells_ended_at: bool,
    pub reports_deliveries: bool,
    pub reports_udid: bool,
}

/// Something that the MDM knows of a device.
#[derive(Debug, Clone)]
pub struct Event {
    pub machine: MachineId,
    /// When it happened in truth.
    pub at: Time,
    pub what: What,
    /// Whether its report reached the service.
    pub arrived: bool,
    /// The stamp of its first report that reached the service.
    pub stamp: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A new enrolment began; `continues`: the device was enrolled all along.
    Enrolled {
        continues: bool,
    },
    /// Still enrolled.
    Status,
    Left(EnrollmentState),
    Deleted {
        continued: bool,
    },
    Lost(bool),
    Delivered {
        config_version: i64,
    },
    OktaId(String),
    CheckIn,
    Certificate {
        number: u32,
        days: i64,
    },
}

/// A report on its way.
#[derive(Debug, Clone)]
pub struct Letter {
    pub event: usize,
    pub due: Time,
    pub stamp: Time,
    /// In place of the device's own.
    pub udid: Option<String>,
}

/// A letter as it is sent.
#[derive(Debug, Clone)]
pub enum Message {
    Report(Box<DeviceReport>),
    Delete { serial_number: SerialNumber, at: Time },
}

#[derive(Debug, Clone)]
pub struct Mdm {
    pub habits: Habits,
    pub integration: IntegrationId,
    pub events: Vec<Event>,
    outbox: Vec<Letter>,
    /// Events that wait for the nightly batch.
    unsent: Vec<usize>,
}

impl What {
    /// Whether the device is managed after it; `None`: it says nothing of that.
    pub fn enrolled_after(&self) -> Option<bool> {
        match self {
            Self::Enrolled { .. } | Self::Status => Some(true),
            Self::Left(_) | Self::Deleted { .. } => Some(false),
            _ => None,
        }
    }
}

impl Mdm {
    pub fn new(habits: Habits, integration: IntegrationId) -> Self {
        Self { habits, integration, events: Vec::new(), outbox: Vec::new(), unsent: Vec::new() }
    }

    /// Records an event whose report arrives after `delay`.
    pub fn note(&mut self, machine: MachineId, at: Time, what: What, delay: TimeDelta) -> usize {
        let event = self.events.len();
        let jump = if self.habits.jumps_ahead && delay.is_zero() { event * 97 % 290 } else { 0 };
        let ahead = TimeDelta::seconds(i64::try_from(jump).unwrap_or_default());
        let stamp = at + self.habits.skew + ahead;
        self.events.push(Event { machine, at, what, arrived: false, stamp: None });
        if self.habits.batched {
            self.unsent.push(event);
        } else {
            self.send(event, at + delay, stamp);
        }
        event
    }

    /// Records an event whose report has this stamp and arrives at `due`.
    pub fn note_stamped(
        &mut self,
        machine: MachineId,
        at: Time,
        what: What,
        stamp: Time,
        due: Time,
    ) {
        self.events.push(Event { machine, at, what, arrived: false, stamp: None });
        self.send(self.events.len() - 1, due, stamp);
    }

    /// Sends the report of an event again, or for the first time, with this stamp.
    pub fn send(&mut self, event: usize, due: Time, stamp: Time) {
        self.outbox.push(Letter { event, due, stamp, udid: None });
    }

    pub fn last_letter(&mut self) -> Option<&mut Letter> {
        self.outbox.last_mut()
    }

    /// Sends what waited for the night, all with one stamp.
    pub fn send_batch(&mut self, now: Time) {
        for event in std::mem::take(&mut self.unsent) {
            self.send(event, now, now + self.habits.skew);
        }
    }

    /// The letters that arrive by now, in the order of their arrival.
    pub fn arrivals(&mut self, now: Time) -> Vec<Letter> {
        let (mut due, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.outbox).into_iter().partition(|letter| letter.due <= now);
        self.outbox = left;
        due.sort_by_key(|letter| letter.due);
        due
    }

    /// When the next letter arrives.
    pub fn last_due(&self) -> Option<Time> {
        self.outbox.iter().map(|letter| letter.due).max()
    }

    pub fn mark_arrived(&mut self, letter: &Letter) {
        let event = &mut self.events[letter.event];
        event.arrived = true;
        event.stamp.get_or_insert(letter.stamp);
    }

    /// Whether the MDM has the device in its list, and as enrolled.
    pub fn believes_enrolled(&self, machine: MachineId) -> bool {
        let mut own = self.events.iter().rev().filter(|event| event.machine == machine);
        own.find_map(|event| event.what.enrolled_after()) == Some(true)
    }

    pub fn has_deleted(&self, machine: MachineId) -> bool {
        let mut own = self.events.iter().rev().filter(|event| event.machine == machine);
        own.find(|event| event.what.enrolled_after().is_some())
            .is_some_and(|event| matches!(event.what, What::Deleted { .. }))
    }

    /// What the letter says of the machine.
    pub fn write(&self, letter: &Letter, machine: &Machine) -> Message {
        let event = &self.events[letter.event];
        let serial_number = SerialNumber::parse(&machine.serial_number).expect("a serial number");
        let at = letter.stamp;
        if matches!(event.what, What::Deleted { .. }) {
            return Message::Delete { serial_number, at };
        }
        let happened = event.at + self.habits.skew;
        let udid = letter.udid.as_ref().or(self.habits.reports_udid.then_some(&machine.udid));
        let mut report = DeviceReport {
            serial_number,
            platform: machine.platform.unwrap_or(Platform::Macos),
            reported_at: Some(at),
            udid: udid.map(|udid| Some(Udid::parse(udid).expect("a UDID"))),
            okta_device_id: None,
            enrollment: None,
            okta_verify: None,
            check_in: None,
            lost_mode: None,
            deliveries: BTreeMap::new(),
            certificates: BTreeMap::new(),
        };
        match &event.what {
            What::Enrolled { continues } => {
                report.enrollment = Some(Enrollment {
                    enrolled_at: (self.habits.tells_enrolled_at && !continues).then_some(happened),
                    continues: *continues,
                    ..enrollment(EnrollmentState::Enrolled, at)
                });
            }
            What::Status => report.enrollment = Some(enrollment(EnrollmentState::Enrolled, at)),
            What::Left(state) => {
                report.enrollment = Some(Enrollment {
                    ended_at: self.habits.tells_ended_at.then_some(happened),
                    ..enrollment(*state, at)
                });
            }
            What::Deleted { .. } => {}
            What::Lost(enabled) => {
                report.lost_mode = Some(Some(LostMode { enabled: *enabled, reported_at: at }));
            }
            What::Delivered { config_version } => {
                let delivery = Delivery {
                    config_version: *config_version,
                    delivered_at: happened.min(at),
                    reported_at: at,
                };
                report.deliveries.insert(self.integration, Some(delivery));
            }
            What::OktaId(id) => {
                report.okta_device_id = Some(OktaDeviceId::parse(id).ok());
            }
            What::CheckIn => {
                let last_seen_at = happened.min(at);
                report.check_in = Some(Some(CheckIn { last_seen_at, reported_at: at }));
            }
            What::Certificate { number, days } => {
                let certificate = Certificate {
                    serial_number: format!("4C{number:04X}"),
                    not_before: event.at,
                    not_after: event.at + TimeDelta::days(*days),
                    reported_at: at,
                };
                report.certificates.insert(self.integration, Some(certificate));
            }
        }
        Message::Report(Box::new(report))
    }
}

fn enrollment(state: EnrollmentState, reported_at: Time) -> Enrollment {
    Enrollment {
        state,
        enrolled_at: None,
        ended_at: None,
        continues: false,
        reported_at,
        sent_at: None,
    }
}
