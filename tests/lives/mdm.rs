//! The MDM and its reports: late, out of order, repeated, in batches with one time, and with a clock that is
//! off by minutes. Reports are never false, but may be incomplete.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, EnrollmentState, LostMode,
};
use okta_device_trust::model::{
    DeviceReport, IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid,
};

use crate::truth::{Machine, MachineId, Time};

/// How the MDM reports.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits")]
pub struct Habits {
    /// The offset of its clock.
    pub skew: TimeDelta,
    /// Reports that arrive immediately may have a time that is minutes ahead, each by a different amount.
    pub jumps_ahead: bool,
    /// Reports are sent once a night, all with the same time.
    pub batched: bool,
    pub tells_enrolled_at: bool,
    pub tells_ended_at: bool,
    pub reports_deliveries: bool,
    pub reports_udid: bool,
}

/// An event that the MDM knows about a device.
#[derive(Debug, Clone)]
pub struct Event {
    pub machine: MachineId,
    /// When it actually happened.
    pub at: Time,
    pub what: What,
    /// Whether its report has reached the service.
    pub arrived: bool,
    /// The time in its first report that reached the service.
    pub stamp: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A new enrolment began; `continues`: the device was never unenrolled.
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

/// A report that has not arrived yet.
#[derive(Debug, Clone)]
pub struct QueuedReport {
    pub event: usize,
    pub due: Time,
    pub stamp: Time,
    /// Overrides the device's UDID.
    pub udid: Option<String>,
}

/// A report as it is sent.
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
    /// UDIDs of machines that reached the service, with the stamps of their reports.
    pub told_udids: Vec<(MachineId, Time, String)>,
    outbox: Vec<QueuedReport>,
    /// Events that wait for the nightly batch.
    unsent: Vec<usize>,
}

impl What {
    /// Returns whether the device is managed afterwards; `None` if the event does not affect that.
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
        Self {
            habits,
            integration,
            events: Vec::new(),
            told_udids: Vec::new(),
            outbox: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Records an event whose report arrives after `delay`.
    pub fn record(&mut self, machine: MachineId, at: Time, what: What, delay: TimeDelta) -> usize {
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

    /// Records an event whose report has the time `stamp` and arrives at `due`.
    pub fn record_stamped(
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

    /// Sends or repeats the report of an event with the time `stamp`.
    pub fn send(&mut self, event: usize, due: Time, stamp: Time) {
        self.outbox.push(QueuedReport { event, due, stamp, udid: None });
    }

    pub fn last_queued(&mut self) -> Option<&mut QueuedReport> {
        self.outbox.last_mut()
    }

    /// Sends the reports that wait for the nightly batch, all with the same time.
    pub fn send_batch(&mut self, now: Time) {
        for event in std::mem::take(&mut self.unsent) {
            self.send(event, now, now + self.habits.skew);
        }
    }

    /// Removes and returns the reports that have arrived, in the order of their arrival.
    pub fn arrivals(&mut self, now: Time) -> Vec<QueuedReport> {
        let (mut due, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.outbox).into_iter().partition(|queued| queued.due <= now);
        self.outbox = left;
        due.sort_by_key(|queued| queued.due);
        due
    }

    /// Returns when the last queued report arrives.
    pub fn last_due(&self) -> Option<Time> {
        self.outbox.iter().map(|queued| queued.due).max()
    }

    /// Records an event that is never reported.
    pub fn record_unreported(&mut self, machine: MachineId, at: Time, what: What) {
        self.events.push(Event { machine, at, what, arrived: false, stamp: None });
    }

    pub fn mark_arrived(&mut self, queued: &QueuedReport, udid: Option<String>) {
        let event = &mut self.events[queued.event];
        if let Some(udid) = udid.filter(|_| queued.udid.is_none()) {
            self.told_udids.push((event.machine, queued.stamp, udid));
        }
        event.arrived = true;
        event.stamp.get_or_insert(queued.stamp);
    }

    pub fn is_departure(&self, queued: &QueuedReport) -> bool {
        self.events[queued.event].what.enrolled_after() == Some(false)
    }

    /// Records that a snapshot of the fleet reported the departure of the device.
    pub fn mark_left(&mut self, machine: MachineId, stamp: Time) {
        let mut own = self.events.iter_mut().rev().filter(|event| event.machine == machine);
        let left = own.find(|event| event.what.enrolled_after() == Some(false));
        let left = left.expect("a departure of the device");
        left.arrived = true;
        left.stamp.get_or_insert(stamp);
    }

    /// Returns whether the MDM lists the device as enrolled.
    pub fn believes_enrolled(&self, machine: MachineId) -> bool {
        let mut own = self.events.iter().rev().filter(|event| event.machine == machine);
        own.find_map(|event| event.what.enrolled_after()) == Some(true)
    }

    pub fn has_deleted(&self, machine: MachineId) -> bool {
        let mut own = self.events.iter().rev().filter(|event| event.machine == machine);
        own.find(|event| event.what.enrolled_after().is_some())
            .is_some_and(|event| matches!(event.what, What::Deleted { .. }))
    }

    /// Returns the report in the format of the API.
    pub fn write(&self, queued: &QueuedReport, machine: &Machine) -> Message {
        let event = &self.events[queued.event];
        let serial_number = SerialNumber::parse(&machine.serial_number).expect("a serial number");
        let at = queued.stamp;
        if matches!(event.what, What::Deleted { .. }) {
            return Message::Delete { serial_number, at };
        }
        let happened = event.at + self.habits.skew;
        let own = self.habits.reports_udid.then(|| machine.udid_at(event.at));
        let udid = queued.udid.as_deref().or(own);
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
