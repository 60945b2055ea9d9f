//! The other way round: a device with which all is well is trusted within one FastPass sign-in and one
//! sweep.

use chrono::TimeDelta;
use okta_device_trust::model::OktaDevice;
use okta_device_trust::model::trust_status::Trust;

use crate::mdm::What;
use crate::mirror::{Lie, Replica};
use crate::okta::users_of;
use crate::questions::describe;
use crate::truth::{MachineId, PersonId};
use crate::world::World;

impl Replica {
    /// Makes all well with the machine, and returns what is wrong if it is not trusted then.
    pub async fn heal(&mut self, world: &mut World, m: MachineId, p: PersonId) -> Option<String> {
        self.settle(world).await;
        world.enroll_for_certain(m);
        self.receive(world).await;
        // As long as the clocks of Okta and the MDM may differ.
        world.pass(TimeDelta::minutes(11));
        world.open_okta_for(m, p);
        self.look(world).await;
        world.pass(TimeDelta::minutes(2));
        world.sign_in(m, p, false);
        let moves = world.org.switches.unchanged_sign_in_moves;
        let alone = world.is_alone_on_record(m, p);
        let told = self.look_for_trust(world, m).await;
        if told.is_none() || (moves && alone) {
            return told;
        }
        // Where nothing shows that the record was used, the account is added anew.
        world.remove_account(m, p);
        world.pass(TimeDelta::minutes(2));
        if !world.register(m, p, true) {
            return Some("the account cannot be added anew".to_owned());
        }
        world.pass(TimeDelta::minutes(2));
        world.sign_in(m, p, true);
        self.look_for_trust(world, m).await
    }

    /// Everything that is under way arrives, and the mirror is as it should be.
    async fn settle(&mut self, world: &mut World) {
        world.pass(TimeDelta::minutes(1));
        world.mdm.send_batch(world.now);
        world.now = world.mdm.last_due().map_or(world.now, |due| due.max(world.now));
        self.receive(world).await;
        world.pass(TimeDelta::minutes(10));
        // A sweep that shows much less than the last one has to be confirmed by another one.
        for _ in 0..2 {
            self.look(world).await;
            world.pass(TimeDelta::minutes(65));
        }
    }

    /// One sweep, and the rereads that are due after it.
    async fn look(&mut self, world: &mut World) {
        world.pass(TimeDelta::minutes(1));
        self.sweep(world, Lie::None, TimeDelta::zero()).await;
        self.reread(world).await;
        world.pass(TimeDelta::minutes(6));
        self.reread(world).await;
    }

    async fn look_for_trust(&mut self, world: &mut World, m: MachineId) -> Option<String> {
        self.look(world).await;
        let (facts, verdict) = self.verdict(world, m).await;
        let well = verdict.trust == Trust::Trusted;
        (!well).then(|| describe(&facts, &verdict, true, "all is well"))
    }
}

impl World {
    /// The device is enrolled, found and configured, and the MDM says so.
    fn enroll_for_certain(&mut self, m: MachineId) {
        let now = self.now;
        if self.truth.machines[m].enrolled && self.mdm.believes_enrolled(m) {
            self.mdm.note(m, now, What::Status, TimeDelta::zero());
        } else {
            self.enroll(m, TimeDelta::zero());
        }
        self.pass(TimeDelta::seconds(10));
        self.set_lost(m, false, TimeDelta::zero());
        // Not while the time of the new enrolment is still ahead of the clock of the service.
        self.deliver(m, TimeDelta::zero());
        self.mdm.send_batch(self.now);
    }

    /// The person may sign in on the machine, by a record that nobody has locked.
    fn open_okta_for(&mut self, m: MachineId, p: PersonId) {
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
            // Accounts on records that Okta no longer serves are no accounts.
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

    /// Whether the person is the only user of the record.
    fn is_alone_on_record(&self, m: MachineId, p: PersonId) -> bool {
        let account = self.truth.machines[m].account_of(p);
        let device = account.and_then(|account| self.org.device(&account.record));
        device.is_some_and(|device| users_of(device).len() == 1)
    }
}
