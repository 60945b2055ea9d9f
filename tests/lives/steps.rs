//! Random lives: which world it is, and what happens next. All of it follows from the seed.

use chrono::TimeDelta;
use okta_device_trust::model::IntegrationId;
use okta_device_trust::model::Platform;

use crate::mdm::{Habits, Mdm, What};
use crate::mirror::Lie;
use crate::okta::{Org, Switches};
use crate::truth::{Machine, MachineId, PersonId, Shown, Time, Truth, iphone_udid, mac_udid};
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

    fn seconds(&mut self, from: i64, to: i64) -> TimeDelta {
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
        let habits = Habits {
            skew: if dice.flip() { TimeDelta::zero() } else { dice.seconds(-280, 280) },
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
            0..12 => Step::Pass(random_pause(dice)),
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

    fn delay(dice: &mut Dice) -> TimeDelta {
        match dice.below(10) {
            0..6 => TimeDelta::zero(),
            6..8 => dice.seconds(1, 1_800),
            _ => dice.seconds(1_800, 180_000),
        }
    }

    /// Does what is not a read by the service. Each takes some time.
    pub fn take(&mut self, step: &Step, dice: &mut Dice) {
        self.pass(dice.seconds(1, 90));
        let (now, delay) = (self.now, Self::delay(dice));
        match step {
            Step::Pass(time) => self.pass(*time),
            Step::SetUp(m, p) => self.set_up(*m, *p, dice),
            Step::Enroll(m) if !self.truth.machines[*m].enrolled && !self.mdm.has_deleted(*m) => {
                self.enroll(*m, delay);
            }
            Step::Enroll(m) if !self.truth.machines[*m].enrolled && dice.flip() => {
                self.enroll(*m, delay);
            }
            Step::Deliver(m) if self.truth.machines[*m].enrolled => self.deliver(*m, delay),
            Step::Register { machine, person, sees_configuration } => {
                self.register(*machine, *person, *sees_configuration);
            }
            Step::SignIn { machine, person, changed } => {
                self.sign_in(*machine, *person, *changed);
            }
            Step::RemoveAccount(m, p) => {
                self.remove_account(*m, *p);
            }
            Step::Wipe { machine, twice, with_udid_of }
                if self.truth.machines[*machine].enrolled =>
            {
                self.wipe_and_report(*machine, *twice, *with_udid_of, delay);
            }
            Step::Erase(m) if self.truth.machines[*m].enrolled => self.truth.machines[*m].erase(),
            Step::Unenroll { machine, stays_configured }
                if self.truth.machines[*machine].enrolled =>
            {
                self.unenroll(*machine, *stays_configured, delay);
            }
            Step::Delete(m) if self.mdm.believes_enrolled(*m) => {
                self.delete(*m, delay);
            }
            Step::Import(m) if self.is_untouched_since_deletion(*m) => {
                self.import(*m, delay);
            }
            Step::Status(m) if self.mdm.believes_enrolled(*m) => {
                self.mdm.note(*m, now, What::Status, delay);
            }
            Step::Lost(m, lost) if self.truth.machines[*m].enrolled => {
                self.set_lost(*m, *lost, delay);
            }
            Step::OktaId(m) if self.mdm.believes_enrolled(*m) => self.report_okta_id(*m, delay),
            Step::CheckIn(m) if self.truth.machines[*m].enrolled => {
                self.mdm.note(*m, now, What::CheckIn, delay);
            }
            Step::Certificate(m) if self.truth.machines[*m].enrolled && self.is_mac(*m) => {
                let what = What::Certificate { number: 7, days: 365 };
                self.mdm.note(*m, now, what, delay);
            }
            Step::Suspend(id) => {
                self.org.set_status(id, &["ACTIVE"], "SUSPENDED", now);
            }
            Step::Unsuspend(id) => {
                self.org.set_status(id, &["SUSPENDED"], "ACTIVE", now);
            }
            Step::Deactivate(id) => {
                self.org.set_status(id, &["ACTIVE", "SUSPENDED"], "DEACTIVATED", now);
            }
            Step::Activate(id) => {
                self.org.set_status(id, &["DEACTIVATED"], "ACTIVE", now);
            }
            Step::DeleteRecord(id) => {
                self.org.set_status(id, &["ACTIVE", "SUSPENDED"], "DEACTIVATED", now);
                self.org.delete(id, now);
            }
            Step::PersonStatus(p, status) => self.set_person_status(*p, status),
            Step::PreRegister(m) => {
                let serial_number = self.truth.machines[*m].serial_number.clone();
                self.org.pre_register(*m, &serial_number, now);
            }
            Step::Stranger { claims, kind } => self.add_stranger(*claims, *kind),
            Step::Batch => self.mdm.send_batch(now),
            _ => {}
        }
    }

    fn set_up(&mut self, m: MachineId, p: PersonId, dice: &mut Dice) {
        if !self.truth.machines[m].enrolled {
            self.enroll(m, TimeDelta::zero());
        }
        self.pass(dice.seconds(10, 600));
        self.deliver(m, TimeDelta::zero());
        self.pass(dice.seconds(10, 600));
        self.register(m, p, true);
        self.pass(dice.seconds(10, 600));
        self.sign_in(m, p, true);
    }

    fn wipe_and_report(
        &mut self,
        m: MachineId,
        twice: bool,
        with_udid_of: Option<MachineId>,
        delay: TimeDelta,
    ) {
        let event = self.wipe(m, delay);
        if self.mdm.habits.batched {
            return;
        }
        let other = with_udid_of.filter(|other| {
            self.mdm.habits.reports_udid
                && self.mdm.events.iter().any(|event| event.machine == *other && event.arrived)
                && self.mdm.believes_enrolled(*other)
        });
        if let Some(other) = other {
            let udid = self.truth.machines[other].udid.clone();
            self.mdm.last_letter().expect("just written").udid = Some(udid);
        }
        if twice {
            let again = self.now + TimeDelta::minutes(20);
            self.mdm.send(event, again, again + self.mdm.habits.skew);
        }
    }

    fn report_okta_id(&mut self, m: MachineId, delay: TimeDelta) {
        let records = self.org.records.iter().filter(|(_, record)| record.machine == m);
        if let Some((id, _)) = records.max_by_key(|(_, record)| record.created()) {
            self.mdm.note(m, self.now, What::OktaId(id.clone()), delay);
        }
    }

    fn add_stranger(&mut self, claims: MachineId, kind: StrangerKind) {
        let number = self.truth.machines.len();
        let ours = self.truth.machines[claims].clone();
        let serial_number = Some(ours.serial_number.clone());
        let claimed = |udid| Shown::Claimed { serial_number: serial_number.clone(), udid };
        if matches!(kind, StrangerKind::VirtualMac { .. }) && !self.mdm.habits.reports_udid {
            // Nothing tells the two apart where the MDM tells serial numbers alone.
            self.copied.push(claims);
        }
        let (word, shown) = match kind {
            StrangerKind::VirtualMac { with_udid } => {
                ("MACOS", claimed(with_udid.then(|| mac_udid(8000 + number))))
            }
            StrangerKind::Windows => ("WINDOWS", claimed(None)),
            StrangerKind::Android => ("ANDROID", claimed(None)),
            StrangerKind::UnfilledMacro => ("IOS", Shown::Macro),
            // Alone, nothing tells the copy from the device itself.
            StrangerKind::CopiedPhone if ours.platform == Some(Platform::Ios) => {
                self.copied.push(claims);
                ("IOS", claimed(Some(ours.udid.clone())))
            }
            StrangerKind::CopiedPhone => return,
        };
        let person = self.truth.add_person(&format!("stranger{number}"));
        let m = self.truth.add(Machine::stranger(word, number, shown));
        self.truth.machines[m].configured = true;
        self.register(m, person, true);
        self.pass(TimeDelta::minutes(1));
        self.sign_in(m, person, true);
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
