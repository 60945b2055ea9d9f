//! Performs the steps of a random history: actions of users, admins, machines and the MDM.

use chrono::TimeDelta;
use okta_device_trust::model::Platform;

use crate::mdm::What;
use crate::steps::{Random, Step, StrangerKind};
use crate::truth::{Machine, MachineId, PersonId, Shown, mac_udid};
use crate::world::World;

impl World {
    fn delay(random: &mut Random) -> TimeDelta {
        match random.below(10) {
            0..6 => TimeDelta::zero(),
            6..8 => random.seconds(1, 1_800),
            _ => random.seconds(1_800, 180_000),
        }
    }

    /// Performs a step that is not a read by the service. Each step takes some time.
    pub fn perform(&mut self, step: &Step, random: &mut Random) {
        self.pass(random.seconds(1, 90));
        let (now, delay) = (self.now, Self::delay(random));
        match step {
            Step::Pass(time) => self.pass(*time),
            Step::SetUp(m, p) => self.set_up(*m, *p, random),
            Step::Enroll(m) if !self.truth.machines[*m].enrolled && !self.mdm.has_deleted(*m) => {
                self.enroll(*m, delay);
            }
            Step::Enroll(m) if !self.truth.machines[*m].enrolled && random.flip() => {
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
            Step::LateWipe(m) if self.truth.machines[*m].enrolled => {
                self.wipe(*m, random.seconds(1_200, 7_200));
                self.pass(random.seconds(300, 1_200));
                self.enroll(*m, TimeDelta::zero());
            }
            Step::ReplaceLogicBoard(m) => self.replace_logic_board(*m),
            Step::ReplaceSerialNumber(m) => self.replace_serial_number(*m, delay),
            Step::LeaveSilently(m) if self.truth.machines[*m].enrolled => self.leave_silently(*m),
            Step::Outage(time) => self.okta_away_until = now + *time,
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
                self.mdm.record(*m, now, What::Status, delay);
            }
            Step::Lost(m, lost) if self.truth.machines[*m].enrolled => {
                self.set_lost(*m, *lost, delay);
            }
            Step::OktaId(m) if self.mdm.believes_enrolled(*m) => self.report_okta_id(*m, delay),
            Step::CheckIn(m) if self.truth.machines[*m].enrolled => {
                self.mdm.record(*m, now, What::CheckIn, delay);
            }
            Step::Certificate(m) if self.truth.machines[*m].enrolled && self.is_mac(*m) => {
                let what = What::Certificate { number: 7, days: 365 };
                self.mdm.record(*m, now, what, delay);
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

    fn set_up(&mut self, m: MachineId, p: PersonId, random: &mut Random) {
        if !self.truth.machines[m].enrolled {
            self.enroll(m, TimeDelta::zero());
        }
        self.pass(random.seconds(10, 600));
        self.deliver(m, TimeDelta::zero());
        self.pass(random.seconds(10, 600));
        self.register(m, p, true);
        self.pass(random.seconds(10, 600));
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
            self.mdm.last_queued().expect("just written").udid = Some(udid);
        }
        if twice {
            let again = self.now + TimeDelta::minutes(20);
            self.mdm.send(event, again, again + self.mdm.habits.skew);
        }
    }

    pub fn report_okta_id(&mut self, m: MachineId, delay: TimeDelta) {
        let records = self.org.records.iter().filter(|(_, record)| record.machine == m);
        if let Some((id, _)) = records.max_by_key(|(_, record)| record.created()) {
            self.mdm.record(m, self.now, What::OktaId(id.clone()), delay);
        }
    }

    fn add_stranger(&mut self, claims: MachineId, kind: StrangerKind) {
        let number = self.truth.machines.len();
        let ours = self.truth.machines[claims].clone();
        let serial_number = Some(ours.serial_number.clone());
        let claimed = |udid| Shown::Claimed { serial_number: serial_number.clone(), udid };
        let knows_udid = self.mdm.habits.reports_udid && !ours.has_new_serial_number();
        if matches!(kind, StrangerKind::VirtualMac { .. }) && !knows_udid {
            // The two are indistinguishable if the MDM reports only serial numbers, or if another device
            // of the inventory still has the UDID.
            self.copied.push(claims);
        }
        let (word, shown) = match kind {
            StrangerKind::VirtualMac { with_udid } => {
                ("MACOS", claimed(with_udid.then(|| mac_udid(8000 + number))))
            }
            StrangerKind::Windows => ("WINDOWS", claimed(None)),
            StrangerKind::Android => ("ANDROID", claimed(None)),
            StrangerKind::UnfilledMacro => ("IOS", Shown::Macro),
            // If only one is used, the copy is indistinguishable from the device.
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
