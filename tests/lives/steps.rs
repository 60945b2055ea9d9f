//! Random lives: which world it is, and what happens next. All of it follows from the seed.

use chrono::TimeDelta;
use okta_device_trust::model::IntegrationId;
use okta_device_trust::model::Platform;

use crate::mdm::{Habits, Mdm};
use crate::mirror::Lie;
use crate::okta::{Org, Switches};
use crate::truth::{Machine, MachineId, PersonId, Time, Truth, iphone_udid, mac_udid};
use crate::world::World;

/// Random numbers by a seed: xorshift64*.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.below(2);
        dice
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).unwrap_or_default() % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn flip(&mut self) -> bool {
        self.one_in(2)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())).cloned() }
    }

    pub fn seconds(&mut self, from: i64, to: i64) -> TimeDelta {
        let span = usize::try_from(to - from).unwrap_or(1);
        TimeDelta::seconds(from + i64::try_from(self.below(span)).unwrap_or_default())
    }
}

/// What happens next.
#[derive(Debug, Clone)]
pub enum Step {
    Pass(TimeDelta),
    /// The machine enrols, is configured, and a person registers and signs in.
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
    /// Wiped and enrolled again; the report of the wipe comes after that of the enrolment.
    LateWipe(MachineId),
    /// Its user erases it: the MDM hears of it only by the next enrolment.
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
    /// A stranger's machine registers with the identifiers of one of ours, and signs in.
    Stranger {
        claims: MachineId,
        kind: StrangerKind,
    },
    Batch,
    Sweep {
        lie: Lie,
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
    /// A phone with the copied secret and identifiers of ours.
    CopiedPhone,
}

impl World {
    /// The world of a seed.
    pub fn random(dice: &mut Dice, integration: IntegrationId, now: Time) -> Self {
        let switches = Switches {
            wiped_mac_gets_old_record: dice.flip(),
            second_user_is_second_record: dice.flip(),
            registration_moves: dice.flip(),
            unchanged_sign_in_moves: dice.flip(),
            unlinking_moves: dice.flip(),
            adding_again_renews: dice.flip(),
        };
        let jumps_ahead = dice.one_in(3);
        let off = !jumps_ahead && dice.flip();
        let habits = Habits {
            skew: if off { dice.seconds(-280, 280) } else { TimeDelta::zero() },
            jumps_ahead,
            batched: dice.one_in(5),
            tells_enrolled_at: dice.flip(),
            tells_ended_at: dice.flip(),
            reports_deliveries: !dice.one_in(4),
            reports_udid: !dice.one_in(4),
        };
        let mut truth = Truth::default();
        for (number, name) in ["ada", "bob", "carl"].iter().enumerate() {
            assert_eq!(truth.add_person(name), number);
        }
        truth.add(Machine::new(Platform::Macos, "LIVESMAC0001", &mac_udid(1)));
        truth.add(if dice.flip() {
            Machine::new(Platform::Macos, "LIVESMAC0002", &mac_udid(2))
        } else {
            Machine::new(Platform::Ios, "LIVESPHONE02", &iphone_udid(2))
        });
        // Another MDM's certificate, which Okta accepts too.
        truth.machines[0].configured = dice.one_in(5);
        Self {
            now,
            truth,
            org: Org::new(switches),
            mdm: Mdm::new(habits, integration),
            seen: std::collections::BTreeMap::new(),
            copied: Vec::new(),
        }
    }

    /// What happens next, by chance.
    pub fn next_step(&self, dice: &mut Dice) -> Step {
        let machine = dice.below(2);
        let person = dice.below(self.truth.people.len());
        let record = {
            let ids: Vec<String> = self.org.records.keys().cloned().collect();
            dice.pick(&ids)
        };
        match dice.below(100) {
            0..2 => Step::LateWipe(machine),
            2..12 => Step::Pass(random_pause(dice)),
            12..22 => random_read(dice, machine),
            22..30 => Step::Sweep { lie: Lie::random(dice), lag: dice.seconds(0, 270) },
            30..36 => Step::SetUp(machine, person),
            36..39 => Step::Enroll(machine),
            39..43 => Step::Deliver(machine),
            43..49 => Step::Register { machine, person, sees_configuration: !dice.one_in(4) },
            49..62 => Step::SignIn { machine, person, changed: dice.flip() },
            62..65 => Step::RemoveAccount(machine, person),
            65..69 => Step::Wipe {
                machine,
                twice: dice.one_in(4),
                with_udid_of: dice.one_in(4).then_some(1 - machine),
            },
            69..71 => Step::Erase(machine),
            71..74 => Step::Unenroll { machine, stays_configured: dice.flip() },
            74..76 => Step::Delete(machine),
            76..78 => Step::Import(machine),
            78..81 => Step::Status(machine),
            81..83 => Step::Lost(machine, dice.flip()),
            83..85 => Step::OktaId(machine),
            85 => Step::CheckIn(machine),
            86 => Step::Certificate(machine),
            87..90 => record.map_or(Step::Batch, Step::Suspend),
            90..92 => record.map_or(Step::Batch, Step::Unsuspend),
            92 => record.map_or(Step::Batch, Step::Deactivate),
            93 => record.map_or(Step::Batch, Step::Activate),
            94 => record.map_or(Step::Batch, Step::DeleteRecord),
            95 => {
                let status = ["DEPROVISIONED", "SUSPENDED", "ACTIVE"][dice.below(3)];
                Step::PersonStatus(person, status)
            }
            96 if dice.flip() => Step::PreRegister(machine),
            96..98 => Step::Stranger { claims: machine, kind: StrangerKind::random(dice) },
            _ => Step::Batch,
        }
    }
}

impl StrangerKind {
    fn random(dice: &mut Dice) -> Self {
        match dice.below(6) {
            0 => Self::VirtualMac { with_udid: false },
            1 => Self::VirtualMac { with_udid: true },
            2 => Self::Windows,
            3 => Self::Android,
            4 => Self::UnfilledMacro,
            _ => Self::CopiedPhone,
        }
    }
}

impl Lie {
    fn random(dice: &mut Dice) -> Self {
        match dice.below(12) {
            0 => Self::Shrunk,
            1 => Self::NoUsers,
            2 => Self::NoUsersOfOne(dice.below(20)),
            3 => Self::UsersLeftOut,
            4 => Self::Interrupted,
            _ => Self::None,
        }
    }
}

fn random_pause(dice: &mut Dice) -> TimeDelta {
    match dice.below(10) {
        0..4 => dice.seconds(1, 300),
        4..7 => dice.seconds(300, 7_200),
        7..9 => dice.seconds(7_200, 100_000),
        _ => dice.seconds(100_000, 3_500_000),
    }
}

fn random_read(dice: &mut Dice, machine: MachineId) -> Step {
    match dice.below(10) {
        0..3 => Step::Incremental { lag: dice.seconds(0, 270) },
        3..7 => Step::Rereads,
        7 => Step::Hooks,
        8 => Step::LiveRead(machine),
        _ => Step::Housekeeping,
    }
}
