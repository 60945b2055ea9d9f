//! The queries after each step, and the check of their verdicts.

use okta_device_trust::model::trust_status::{AskedDevice, Facts, Policy, Trust, Verdict, decide};
use okta_device_trust::model::{OktaDeviceId, SerialNumber, Udid};

use chrono::TimeDelta;

use crate::mirror::Replica;
use crate::truth::MachineId;
use crate::world::World;

/// Returns the default policy.
pub fn policy() -> Policy {
    Policy {
        fresh_for: TimeDelta::minutes(15),
        unknown_after: TimeDelta::hours(24),
        max_age: None,
        require_inventory: true,
        all_users: false,
        ios_single_install: true,
        last_seen_within: None,
    }
}

pub fn asked(serial: Option<&str>, udid: Option<&str>, okta_id: Option<&str>) -> AskedDevice {
    AskedDevice {
        serial_number: serial.map(|serial| SerialNumber::parse(serial).expect("a serial number")),
        udid: udid.map(|udid| Udid::parse(udid).expect("a UDID")),
        okta_device_id: okta_id.map(|id| OktaDeviceId::parse(id).expect("an id")),
    }
}

impl World {
    /// Returns queries by every identifier, and by every relevant combination.
    pub fn questions(&self) -> Vec<AskedDevice> {
        let serials: Vec<&str> =
            self.truth.machines.iter().map(|machine| machine.serial_number.as_str()).collect();
        let udids: Vec<&str> =
            self.truth.machines.iter().map(|machine| machine.udid.as_str()).collect();
        let ids: Vec<&str> = self.org.records.keys().map(String::as_str).collect();
        let ours = 0..2;
        let mut questions = Vec::new();
        questions.extend(serials.iter().map(|serial| asked(Some(serial), None, None)));
        questions.extend(udids.iter().map(|udid| asked(None, Some(udid), None)));
        questions.extend(ids.iter().map(|id| asked(None, None, Some(id))));
        for m in ours {
            let serial = Some(serials[m]);
            questions.extend(udids.iter().map(|udid| asked(serial, Some(udid), None)));
            questions.extend(ids.iter().map(|id| asked(serial, None, Some(id))));
            questions.push(asked(serial, Some(NO_UDID), None));
            questions.push(asked(serial, None, Some("guoNobody")));
            questions.push(asked(None, Some(udids[m]), ids.last().copied()));
        }
        questions
    }
}

/// A UDID of no device.
pub const NO_UDID: &str = "DEADBEEF-0000-4000-8000-000000000000";

impl Replica {
    /// Runs all queries and returns the wrong verdicts.
    pub async fn wrong_answers(&self, world: &World) -> Vec<String> {
        let questions = world.questions();
        let facts = self.ask_all(world, questions).await;
        let mut wrong = self.wrong_projections().await;
        for one in &facts {
            for (require_inventory, all_users) in
                [(true, false), (false, false), (true, true), (false, true)]
            {
                let policy = Policy { require_inventory, all_users, ..policy() };
                let verdict = decide(one, &policy, world.now);
                if verdict.trust != Trust::Trusted || world.is_copied(one) {
                    continue;
                }
                let others = || world.objection_of_all_users(one).filter(|_| all_users);
                if let Some(why) = world.objection(one, &policy).or_else(others) {
                    wrong.push(describe(one, &verdict, require_inventory, &why));
                }
            }
        }
        wrong
    }

    /// Asks by serial number separately, because such questions are answered from projected facts.
    async fn ask_all(&self, world: &World, questions: Vec<AskedDevice>) -> Vec<Facts> {
        let by_serial = |asked: &AskedDevice| asked.only_serial_number().is_some();
        let (by_serial, others) = questions.into_iter().partition::<Vec<_>, _>(by_serial);
        let mut facts = self.ask(world, by_serial).await;
        facts.extend(self.ask(world, others).await);
        facts
    }

    /// Returns the devices whose projected facts are missing or differ from their definition.
    async fn wrong_projections(&self) -> Vec<String> {
        let check =
            self.store.check_projection(&self.tenant, self.integration, String::new(), 1000);
        let check = check.await.expect("a check");
        let wrong =
            check.wrong.into_iter().map(|serial| format!("{serial}: wrong projected facts"));
        wrong.chain((check.missing > 0).then(|| "projected facts are missing".to_owned())).collect()
    }

    /// Returns the verdict on a machine, queried by serial number.
    pub async fn verdict(&self, world: &World, m: MachineId) -> (Facts, Verdict) {
        let serial = asked(Some(&world.truth.machines[m].serial_number), None, None);
        self.verdict_on(world, serial).await
    }

    pub async fn verdict_on(&self, world: &World, question: AskedDevice) -> (Facts, Verdict) {
        let facts = self.ask(world, vec![question]).await.remove(0);
        let verdict = decide(&facts, &policy(), world.now);
        (facts, verdict)
    }
}

impl World {
    /// Returns whether the device is an iPhone with a copy. As long as only one is used, they cannot be distinguished.
    fn is_copied(&self, facts: &Facts) -> bool {
        let serial = facts.device.as_ref().map(|device| device.serial_number.as_str());
        let names = |m: &MachineId| {
            let machine = &self.truth.machines[*m];
            serial == Some(&machine.serial_number) || {
                let asked = &facts.asked;
                let udid = asked.udid.as_ref().map(Udid::as_str);
                let own = asked.serial_number.as_ref().map(SerialNumber::as_str);
                udid == Some(&machine.udid) || own == Some(&machine.serial_number)
            }
        };
        self.copied.iter().any(names)
    }
}

pub fn describe(facts: &Facts, verdict: &Verdict, require_inventory: bool, why: &str) -> String {
    let asked = &facts.asked;
    format!(
        "asked by {:?} {:?} {:?} (require_inventory {require_inventory}): {:?}, but {why}\n  device: {:#?}\n  records: {:#?}",
        asked.serial_number,
        asked.udid,
        asked.okta_device_id,
        verdict.reasons,
        facts.device,
        facts.records,
    )
}
