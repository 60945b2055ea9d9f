//! Random histories: the initial world and the next step, both determined by the seed.

use chrono::TimeDelta;
use okta_device_trust::model::IntegrationId;
use okta_device_trust::model::Platform;

use crate::mdm::{Habits, Mdm};
use crate::mirror::ListFault;
use crate::okta::{Org, Switches};
use crate::truth::{Machine, MachineId, PersonId, Shown, Time, Truth, iphone_udid, mac_udid};
use crate::world::World;

/// A seeded random number generator: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        random
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).unwrap_or_default() % n.max(1)
    }

    pub fn one_in_n(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn flip(&mut self) -> bool {
        self.one_in_n(2)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())).cloned() }
    }

    pub fn seconds(&mut self, from: i64, to: i64) -> TimeDelta {
        let span = usize::try_from(to - from).unwrap_or(1);
        TimeDelta::seconds(from + i64::try_from(self.below(span)).unwrap_or_default())
    }
}

/// A step of a history.
#[derive(Debug, Clone)]
pub enum Step {
    Pass(TimeDelta),
    /// The machine is enrolled and configured, and a person registers and signs in.
    SetUp(MachineId, PersonId),
    Enroll(MachineId),
    Deliver(MachineId),
    Register {
        machine: MachineId,
        person: PersonId,
        sees_configuration: bool,
    },
    SignIn {
        machine: MachineId,
        person: PersonId,
        changed: bool,
    },
    RemoveAccount(MachineId, PersonId),
    Wipe {
        machine: MachineId,
        twice: bool,
        with_udid_of: Option<MachineId>,
    },
    /// Wiped and enrolled again; the wipe is reported after the enrolment.
    LateWipe(MachineId),
    ReplaceLogicBoard(MachineId),
    ReplaceSerialNumber(MachineId),
    /// It leaves the MDM without a report. Only the next snapshot of the fleet shows it.
    LeaveSilently(MachineId),
    /// The user erases it. The MDM learns of it only by the next enrolment.
    Erase(MachineId),
    Unenroll {
        machine: MachineId,
        stays_configured: bool,
    },
    Delete(MachineId),
    Import(MachineId),
    Status(MachineId),
    Lost(MachineId, bool),
    OktaId(MachineId),
    CheckIn(MachineId),
    Certificate(MachineId),
    Suspend(String),
    Unsuspend(String),
    Deactivate(String),
    Activate(String),
    DeleteRecord(String),
    PersonStatus(PersonId, &'static str),
    PreRegister(MachineId),
    /// A foreign machine registers with the identifiers of a managed machine and signs in.
    Stranger {
        claims: MachineId,
        kind: StrangerKind,
    },
    Batch,
    /// The MDM sends a snapshot of its fleet.
    Reconcile,
    /// Okta does not answer the service for so long.
    Outage(TimeDelta),
    Sweep {
        fault: ListFault,
        lag: TimeDelta,
    },
    Incremental {
        lag: TimeDelta,
    },
    Rereads,
    Hooks,
    LiveRead(MachineId),
    Housekeeping,
}

#[derive(Debug, Clone, Copy)]
pub enum StrangerKind {
    VirtualMac {
        with_udid: bool,
    },
    Windows,
    Android,
    UnfilledMacro,
    /// A phone with the copied secret and identifiers of a managed one.
    CopiedPhone,
}

impl World {
    /// Returns the initial world of a seed.
    pub fn random(random: &mut Random, integration: IntegrationId, now: Time) -> Self {
        let switches = Switches {
            wiped_mac_gets_old_record: random.flip(),
            second_user_is_second_record: random.flip(),
            registration_moves: random.flip(),
            unchanged_sign_in_moves: random.flip(),
            unlinking_moves: random.flip(),
            adding_again_renews: random.flip(),
        };
        let jumps_ahead = random.one_in_n(3);
        let off = !jumps_ahead && random.flip();
        let habits = Habits {
            skew: if off { random.seconds(-280, 280) } else { TimeDelta::zero() },
            jumps_ahead,
            batched: random.one_in_n(5),
            tells_enrolled_at: random.flip(),
            tells_ended_at: random.flip(),
            reports_deliveries: !random.one_in_n(4),
            reports_udid: !random.one_in_n(4),
        };
        let mut truth = Truth::default();
        for (number, name) in ["ada", "bob", "carl"].iter().enumerate() {
            assert_eq!(truth.add_person(name), number);
        }
        truth.add(Machine::new(Platform::Macos, "LIVESMAC0001", &mac_udid(1)));
        truth.add(if random.flip() {
            Machine::new(Platform::Macos, "LIVESMAC0002", &mac_udid(2))
        } else {
            Machine::new(Platform::Ios, "LIVESPHONE02", &iphone_udid(2))
        });
        if !truth.machines[1].okta_platform.starts_with("MAC") && random.one_in_n(3) {
            truth.machines[1].shown = Shown::Nothing;
        }
        // A certificate from another MDM, which Okta also accepts.
        truth.machines[0].configured = random.one_in_n(5);
        Self {
            now,
            truth,
            org: Org::new(switches),
            mdm: Mdm::new(habits, integration),
            seen: std::collections::BTreeMap::new(),
            okta_away_until: now,
            copied: Vec::new(),
        }
    }

    /// Returns a random next step.
    pub fn next_step(&self, random: &mut Random) -> Step {
        let machine = random.below(2);
        let person = random.below(self.truth.people.len());
        let record = {
            let ids: Vec<String> = self.org.records.keys().cloned().collect();
            random.pick(&ids)
        };
        match random.below(100) {
            0..2 => Step::LateWipe(machine),
            2..11 => Step::Pass(random_pause(random)),
            11 | 98 => rare_step(random, machine),
            12..22 => random_read(random, machine),
            22..30 => Step::Sweep { fault: ListFault::random(random), lag: random.seconds(0, 270) },
            30..36 => Step::SetUp(machine, person),
            36..39 => Step::Enroll(machine),
            39..43 => Step::Deliver(machine),
            43..49 => Step::Register { machine, person, sees_configuration: !random.one_in_n(4) },
            49..62 => Step::SignIn { machine, person, changed: random.flip() },
            62..65 => Step::RemoveAccount(machine, person),
            65..69 => Step::Wipe {
                machine,
                twice: random.one_in_n(4),
                with_udid_of: random.one_in_n(4).then_some(1 - machine),
            },
            69..71 => Step::Erase(machine),
            71..74 => Step::Unenroll { machine, stays_configured: random.flip() },
            74..76 => Step::Delete(machine),
            76..78 => Step::Import(machine),
            78..81 => Step::Status(machine),
            81..83 => Step::Lost(machine, random.flip()),
            83..85 => Step::OktaId(machine),
            85 => Step::CheckIn(machine),
            86 => Step::Certificate(machine),
            87..90 => record.map_or(Step::Batch, Step::Suspend),
            90..92 => record.map_or(Step::Batch, Step::Unsuspend),
            92 => record.map_or(Step::Batch, Step::Deactivate),
            93 => record.map_or(Step::Batch, Step::Activate),
            94 => record.map_or(Step::Batch, Step::DeleteRecord),
            95 => {
                let status = ["DEPROVISIONED", "SUSPENDED", "ACTIVE"][random.below(3)];
                Step::PersonStatus(person, status)
            }
            96 if random.flip() => rare_step(random, machine),
            96..98 => Step::Stranger { claims: machine, kind: StrangerKind::random(random) },
            _ => Step::Batch,
        }
    }
}

impl StrangerKind {
    fn random(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::VirtualMac { with_udid: false },
            1 => Self::VirtualMac { with_udid: true },
            2 => Self::Windows,
            3 => Self::Android,
            4 => Self::UnfilledMacro,
            _ => Self::CopiedPhone,
        }
    }
}

impl ListFault {
    fn random(random: &mut Random) -> Self {
        match random.below(12) {
            0 => Self::Shrunk,
            1 => Self::NoUsers,
            2 => Self::NoUsersOfDevice(random.below(20)),
            3 => Self::UsersOmitted,
            4 => Self::Interrupted,
            _ => Self::None,
        }
    }
}

fn rare_step(random: &mut Random, machine: MachineId) -> Step {
    match random.below(6) {
        0 => Step::PreRegister(machine),
        1 => Step::ReplaceLogicBoard(machine),
        2 => Step::ReplaceSerialNumber(machine),
        3 => Step::LeaveSilently(machine),
        4 => Step::Reconcile,
        _ => Step::Outage(random.seconds(600, 200_000)),
    }
}

fn random_pause(random: &mut Random) -> TimeDelta {
    match random.below(10) {
        0..4 => random.seconds(1, 300),
        4..7 => random.seconds(300, 7_200),
        7..9 => random.seconds(7_200, 100_000),
        _ => random.seconds(100_000, 3_500_000),
    }
}

fn random_read(random: &mut Random, machine: MachineId) -> Step {
    match random.below(10) {
        0..3 => Step::Incremental { lag: random.seconds(0, 270) },
        3..7 => Step::Rereads,
        7 => Step::Hooks,
        8 => Step::LiveRead(machine),
        _ => Step::Housekeeping,
    }
}
