//! The converse: a correctly set up device is trusted after one FastPass sign-in and one sweep.

use chrono::TimeDelta;
use okta_device_trust::model::OktaDevice;
use okta_device_trust::model::trust_status::Trust;

use crate::mdm::What;
use crate::mirror::{ListFault, Replica};
use crate::okta::users_of;
use crate::questions::describe;
use crate::truth::{MachineId, PersonId, Shown};
use crate::world::World;

impl Replica {
    /// Sets the machine up correctly. Returns a description of the failure if it is not trusted afterwards.
    pub async fn restore_trust(
        &mut self,
        world: &mut World,
        m: MachineId,
        p: PersonId,
    ) -> Option<String> {
        self.settle(world).await;
        world.ensure_enrolled(m);
        self.receive(world).await;
        // The maximum difference between the clocks of Okta and the MDM.
        world.pass(TimeDelta::minutes(11));
        world.ensure_can_sign_in(m, p);
        self.sweep_and_reread(world).await;
        world.pass(TimeDelta::minutes(2));
        world.sign_in(m, p, false);
        let moves = world.org.switches.unchanged_sign_in_moves;
        let alone = world.is_alone_on_record(m, p);
        let log = self.check_trust(world, m).await;
        if log.is_none() || (moves && alone) {
            return log;
        }
        // If no use of the record is visible, the account is added again.
        world.remove_account(m, p);
        world.pass(TimeDelta::minutes(2));
        if !world.register(m, p, true) {
            return Some("the account cannot be added again".to_owned());
        }
        world.pass(TimeDelta::minutes(2));
        world.sign_in(m, p, true);
        self.check_trust(world, m).await
    }

    /// Delivers all queued reports and brings the mirror up to date.
    async fn settle(&mut self, world: &mut World) {
        world.pass(TimeDelta::minutes(1));
        world.okta_away_until = world.now;
        world.mdm.send_batch(world.now);
        world.now = world.mdm.last_due().map_or(world.now, |due| due.max(world.now));
        self.receive(world).await;
        world.pass(TimeDelta::minutes(10));
        // A shrunk sweep must be confirmed by another one.
        for _ in 0..2 {
            self.sweep_and_reread(world).await;
            world.pass(TimeDelta::minutes(65));
        }
    }

    /// Runs a sweep and the re-reads that are due after it.
    async fn sweep_and_reread(&mut self, world: &mut World) {
        world.pass(TimeDelta::minutes(1));
        self.sweep(world, ListFault::None, TimeDelta::zero()).await;
        self.reread(world).await;
        world.pass(TimeDelta::minutes(6));
        self.reread(world).await;
    }

    async fn check_trust(&mut self, world: &mut World, m: MachineId) -> Option<String> {
        if world.truth.machines[m].shown == Shown::Nothing {
            // Only the MDM can tell which record is the device's.
            world.report_okta_id(m, TimeDelta::zero());
            world.mdm.send_batch(world.now);
            self.receive(world).await;
        }
        self.sweep_and_reread(world).await;
        let (facts, verdict) = self.verdict(world, m).await;
        let well = verdict.trust == Trust::Trusted;
        (!well).then(|| describe(&facts, &verdict, true, "all is well"))
    }
}

impl World {
    /// Makes the device enrolled, not lost and configured, and lets the MDM report it.
    fn ensure_enrolled(&mut self, m: MachineId) {
        let now = self.now;
        if self.truth.machines[m].enrolled && self.mdm.believes_enrolled(m) {
            self.mdm.record(m, now, What::Status, TimeDelta::zero());
        } else {
            self.enroll(m, TimeDelta::zero());
        }
        self.pass(TimeDelta::seconds(10));
        self.set_lost(m, false, TimeDelta::zero());
        // Waits until the time of the new enrolment is no longer ahead of the service's clock.
        self.deliver(m, TimeDelta::zero());
        self.mdm.send_batch(self.now);
    }

    /// Makes sure that the person can sign in on the machine, with an active record.
    fn ensure_can_sign_in(&mut self, m: MachineId, p: PersonId) {
        if self.truth.people[p].status != "ACTIVE" {
            self.set_person_status(p, "ACTIVE");
        }
        let own = self.org.records.iter().filter(|(_, record)| record.machine == m);
        let suspended: Vec<String> = own.map(|(id, _)| id.clone()).collect();
        for id in suspended {
            self.org.set_status(&id, &["SUSPENDED"], "ACTIVE", self.now);
        }
        self.pass(TimeDelta::seconds(30));
        let works = |world: &Self| {
            let account = world.truth.machines[m].account_of(p);
            account.is_some_and(|account| {
                let device = world.org.device(&account.record);
                account.sees_configuration
                    && device.is_some_and(|device| {
                        let id = &world.truth.people[p].id;
                        device.is_active() && users_of(device).iter().any(|user| user.id == *id)
                    })
            })
        };
        if !works(self) {
            // Accounts on records that no longer exist do not work.
            let dead: Vec<PersonId> = self.truth.machines[m]
                .accounts
                .iter()
                .filter(|account| {
                    !self.org.device(&account.record).is_some_and(OktaDevice::is_active)
                })
                .map(|account| account.person)
                .collect();
            for person in dead {
                self.remove_account(m, person);
            }
            self.remove_account(m, p);
            self.pass(TimeDelta::seconds(30));
            self.register(m, p, true);
        }
    }

    /// Returns whether the person is the only user of the record.
    fn is_alone_on_record(&self, m: MachineId, p: PersonId) -> bool {
        let account = self.truth.machines[m].account_of(p);
        let device = account.and_then(|account| self.org.device(&account.record));
        device.is_some_and(|device| users_of(device).len() == 1)
    }
}
