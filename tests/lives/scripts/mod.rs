//! Scripted histories with the expected verdict at each stage. The simulated org and MDM are those of the
//! random histories.

mod answers;
mod org;
mod records;
mod reports;
mod wipes;

use chrono::{NaiveTime, TimeDelta};
use okta_device_trust::model::Platform;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{AskedDevice, Facts, Reason, Verdict};

use crate::mdm::{Habits, Mdm, What};
use crate::mirror::{ListFault, Replica};
use crate::okta::{Org, Switches};
use crate::questions::asked;
use crate::random::start_time;
use crate::truth::{Machine, MachineId, PersonId, Time, Truth, iphone_udid, mac_udid};
use crate::world::World;

pub const MAC: MachineId = 0;
pub const IPHONE: MachineId = 1;
pub const OTHER_MAC: MachineId = 2;
pub const ADA: PersonId = 0;
pub const BOB: PersonId = 1;

pub const ENROLLED: What = What::Enrolled { continues: false };
pub const WIPED: What = What::Left(EnrollmentState::Wiped);
pub const UNENROLLED: What = What::Left(EnrollmentState::Unenrolled);
pub const DELIVERED: What = What::Delivered { config_version: 2 };

/// A history, with times of day as text.
pub struct Life {
    pub world: World,
    pub replica: Replica,
    day: i64,
}

impl Life {
    /// Starts with two Macs, an iPhone and two people, in an org that updates `lastUpdated` with each sign-in.
    pub async fn start() -> Self {
        let replica = Replica::start(start_time()).await;
        let mut truth = Truth::default();
        truth.add_person("ada");
        truth.add_person("bob");
        truth.add(Machine::new(Platform::Macos, "LIVESMAC0001", &mac_udid(1)));
        truth.add(Machine::new(Platform::Ios, "LIVESPHONE02", &iphone_udid(2)));
        truth.add(Machine::new(Platform::Macos, "LIVESMAC0003", &mac_udid(3)));
        let switches = Switches {
            wiped_mac_gets_old_record: false,
            second_user_is_second_record: true,
            registration_moves: true,
            unchanged_sign_in_moves: true,
            unlinking_moves: true,
            adding_again_renews: true,
        };
        let habits = Habits {
            skew: TimeDelta::zero(),
            jumps_ahead: false,
            batched: false,
            tells_enrolled_at: false,
            tells_ended_at: false,
            reports_deliveries: true,
            reports_udid: true,
        };
        let world = World {
            now: start_time(),
            truth,
            org: Org::new(switches),
            mdm: Mdm::new(habits, replica.integration),
            seen: std::collections::BTreeMap::new(),
            okta_away_until: start_time(),
            copied: Vec::new(),
        };
        let mut life = Self { world, replica, day: 0 };
        life.sweep_and_reread().await;
        life
    }

    /// Starts with a Mac that Ada uses: enrolled 09:00, delivered 09:01, registered 09:20, signed in 09:30.
    pub async fn with_adas_mac() -> Self {
        let mut life = Self::start().await;
        life.set_up(MAC, ADA).await;
        life
    }

    pub async fn set_up(&mut self, m: MachineId, p: PersonId) {
        self.report(m, ENROLLED, "09:00").await;
        self.deliver(m, "09:01").await;
        self.register(m, p, "09:20").await;
        self.sign_in(m, p, "09:30").await;
        self.expect_reason(m, Reason::ManagedAndActive).await;
    }

    /// Returns this time on the current day.
    pub fn time(&self, time_of_day: &str) -> Time {
        let time = NaiveTime::parse_from_str(time_of_day, "%H:%M").expect("a time of day");
        let midnight = start_time() - TimeDelta::hours(8) + TimeDelta::days(self.day);
        midnight + (time - NaiveTime::MIN)
    }

    pub fn next_day(&mut self) {
        self.pass_days(1);
    }

    pub fn pass_days(&mut self, days: i64) {
        self.day += days;
    }

    /// Advances to this time and delivers the reports that are due.
    pub async fn at(&mut self, time_of_day: &str) {
        let now = self.time(time_of_day);
        assert!(now >= self.world.now, "{time_of_day} is in the past");
        self.world.now = now;
        self.replica.receive(&mut self.world).await;
    }

    /// Lets the MDM report an event immediately, with the current time.
    pub async fn report(&mut self, m: MachineId, what: What, time_of_day: &str) {
        self.report_as(m, what, time_of_day, time_of_day, time_of_day).await;
    }

    /// Lets the MDM report an event of `happened` with the time `stamp`; the report arrives at `arrives`.
    pub async fn report_as(
        &mut self,
        m: MachineId,
        what: What,
        happened: &str,
        stamp: &str,
        arrives: &str,
    ) {
        let (at, stamp, due) = (self.time(happened), self.time(stamp), self.time(arrives));
        let machine = &mut self.world.truth.machines[m];
        match &what {
            What::Left(EnrollmentState::Wiped) => machine.erase(),
            other => machine.enrolled = other.enrolled_after().unwrap_or(machine.enrolled),
        }
        self.world.mdm.record_stamped(m, at, what, stamp, due);
        self.at(arrives).await;
    }

    pub async fn deliver(&mut self, m: MachineId, time_of_day: &str) {
        self.world.truth.machines[m].configured = true;
        self.report(m, DELIVERED, time_of_day).await;
    }

    pub async fn register(&mut self, m: MachineId, p: PersonId, time_of_day: &str) {
        self.at(time_of_day).await;
        assert!(self.world.register(m, p, true), "Okta refuses to register");
    }

    pub async fn sign_in(&mut self, m: MachineId, p: PersonId, time_of_day: &str) {
        self.sweep_and_reread().await;
        self.at(time_of_day).await;
        assert!(self.world.sign_in(m, p, true), "Okta refuses the sign-in");
    }

    /// Runs a sweep and the re-reads after it; takes at most a minute.
    pub async fn sweep_and_reread(&mut self) {
        self.replica.sweep(&mut self.world, ListFault::None, TimeDelta::zero()).await;
        self.replica.reread(&mut self.world).await;
    }

    /// Expects this deciding reason after a sweep and its re-reads.
    pub async fn expect_reason(&mut self, m: MachineId, reason: Reason) -> Verdict {
        self.sweep_and_reread().await;
        self.world.pass(TimeDelta::minutes(6));
        self.replica.reread(&mut self.world).await;
        self.expect_reason_unread(m, reason).await
    }

    /// Expects this deciding reason without another read.
    pub async fn expect_reason_unread(&mut self, m: MachineId, reason: Reason) -> Verdict {
        let question = self.by_serial(m);
        self.answers(question, reason).await.1
    }

    pub fn by_serial(&self, m: MachineId) -> AskedDevice {
        asked(Some(&self.world.truth.machines[m].serial_number), None, None)
    }

    pub async fn answers(&self, question: AskedDevice, reason: Reason) -> (Facts, Verdict) {
        let (facts, verdict) = self.replica.verdict_on(&self.world, question).await;
        let (now, reasons) = (self.world.now, &verdict.reasons);
        assert_eq!(reasons[0], reason, "at {now}: {reasons:?}\n{facts:#?}");
        (facts, verdict)
    }

    /// Returns the ID of the account's record.
    pub fn record(&self, m: MachineId, p: PersonId) -> String {
        self.world.truth.machines[m].account_of(p).expect("an account").record.clone()
    }
}

/// Returns the logins of the users that decide.
pub fn deciding_users(facts: &Facts) -> Vec<String> {
    facts.deciding_users(&facts.assess_records()).map(|user| user.login.clone()).collect()
}
