//! Random histories of two Macs over HTTP, with real reports, a simulated Okta, sweeps and queries. The times
//! are a few hours ago, so that the tests need not wait. `tests/lives` has many more, against the store.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::NewDevice;

use crate::support::fleet::mirroring;
use crate::support::inventory::id_of;
use crate::support::wait::until;
use crate::support::world::World;

const SEEDS: u64 = 5;
const STEPS: usize = 25;

const MACS: [(&str, &str); 2] = [
    ("C02RANDOM001", "8A5B0C2E-1D3F-4A6B-9C8D-000000000001"),
    ("C02RANDOM002", "8A5B0C2E-1D3F-4A6B-9C8D-000000000002"),
];

/// A seeded random number generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % n
    }
}

/// A FastPass sign-in on an enrolled and configured Mac.
struct SignIn {
    mac: usize,
    record: String,
    user: String,
    at: DateTime<Utc>,
}

/// The true state of a Mac. The MDM reports all of it on time.
#[derive(Default)]
struct Mac {
    enrolled: bool,
    configured: bool,
    left_at: Option<DateTime<Utc>>,
    /// Its records in Okta, with their users.
    accounts: Vec<(String, String)>,
    records: Vec<(String, DateTime<Utc>)>,
}

struct Life {
    world: World,
    path: String,
    now: DateTime<Utc>,
    macs: [Mac; 2],
    users: Vec<String>,
    sign_ins: Vec<SignIn>,
    told: Vec<String>,
}

impl Life {
    async fn start(seed: u64) -> Self {
        let world = mirroring().start().await;
        world.add_fleet(0);
        let now = Utc::now() - TimeDelta::hours(10);
        world.acme.change(|knobs| {
            knobs.sign_in_moves_last_updated = true;
            knobs.registration_moves_last_updated = true;
            knobs.unlinking_moves_last_updated = true;
            knobs.wiped_mac_keeps_its_record = seed.is_multiple_of(2);
            knobs.second_user_is_second_record = seed.is_multiple_of(3);
        });
        world.acme.set_time(Some(now));
        let users = ["ada", "bob"].map(|name| world.acme.add_user(&format!("{name}@acme.example")));
        let path = world.configured().await;
        world.until_mirrored(&path).await;
        let (macs, sign_ins, told) = (Default::default(), Vec::new(), Vec::new());
        Self { world, path, now, macs, users: users.to_vec(), sign_ins, told }
    }

    fn pass(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
        assert!(self.now < Utc::now(), "the life is too long");
        self.world.acme.set_time(Some(self.now));
    }

    async fn report(&mut self, mac: usize, groups: &Value) {
        let (serial, udid) = MACS[mac];
        let mut body = json!({ "platform": "macos", "udid": udid, "reported_at": self.now });
        for (name, group) in groups.as_object().expect("groups") {
            body[name] = group.clone();
        }
        let answer = self.world.report_device(serial, &body).await;
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    }

    async fn report_state(&mut self, mac: usize, state: &str) {
        let group = json!({ "enrollment": { "state": state, "reported_at": self.now } });
        self.report(mac, &group).await;
    }

    async fn enroll(&mut self, mac: usize) {
        self.report_state(mac, "enrolled").await;
        self.macs[mac].enrolled = true;
    }

    async fn deliver(&mut self, mac: usize) {
        let delivery =
            json!({ "config_version": 1, "delivered_at": self.now, "reported_at": self.now });
        let group = json!({ "deliveries": { id_of(&self.path): delivery } });
        self.report(mac, &group).await;
        self.macs[mac].configured = true;
    }

    /// Unenrolls the Mac; `erased`: it is also erased.
    async fn leave(&mut self, mac: usize, how: &str) {
        if how == "deleted" {
            let at = self.now.to_rfc3339().replace('+', "%2B");
            let path = format!("/devices/{}?reported_at={at}", MACS[mac].0);
            self.world.ask_inventory(Method::DELETE, &path, None).await.expect(200);
        } else {
            self.report_state(mac, how).await;
        }
        if how == "wiped" {
            for (record, _) in std::mem::take(&mut self.macs[mac].accounts) {
                self.world.acme.wipe(&record).expect("a record");
            }
        }
        let left = &mut self.macs[mac];
        (left.enrolled, left.configured, left.left_at) = (false, false, Some(self.now));
    }

    fn register(&mut self, mac: usize, user: usize) {
        let (user, (serial, udid)) = (self.users[user].clone(), MACS[mac]);
        let Ok(record) = self.world.acme.register(&NewDevice::mac(serial, udid), &user) else {
            return;
        };
        let known = &mut self.macs[mac];
        if !known.records.iter().any(|(id, _)| *id == record) {
            known.records.push((record.clone(), self.now));
        }
        known.accounts.retain(|(_, of)| *of != user);
        known.accounts.push((record, user));
    }

    fn sign_in(&mut self, mac: usize, user: usize) {
        let user = self.users[user].clone();
        let account = self.macs[mac].accounts.iter().find(|(_, of)| *of == user);
        let Some((record, _)) = account.cloned() else { return };
        let may = self.macs[mac].enrolled && self.macs[mac].configured;
        if may && self.world.acme.sign_in(&record, &user).is_ok() {
            self.sign_ins.push(SignIn { mac, record, user, at: self.now });
        }
    }

    async fn step(&mut self, dice: &mut Dice) {
        self.pass(2 + i64::try_from(dice.below(12)).unwrap_or_default());
        let (mac, user, what) = (dice.below(2), dice.below(2), dice.below(16));
        self.told.push(format!("{} step {what} of Mac {mac} and user {user}", self.now));
        match what {
            0..3 if !self.macs[mac].enrolled => self.enroll(mac).await,
            0..5 if self.macs[mac].enrolled => self.deliver(mac).await,
            5..7 => self.register(mac, user),
            7..11 => self.sign_in(mac, user),
            11 if self.macs[mac].enrolled => self.leave(mac, "wiped").await,
            12 if self.macs[mac].enrolled => self.leave(mac, "unenrolled").await,
            13 if self.macs[mac].enrolled => self.leave(mac, "deleted").await,
            14 => self.each_record(mac, |world, record| drop(world.acme.suspend(record))),
            15 => self.each_record(mac, |world, record| drop(world.acme.unsuspend(record))),
            _ => {}
        }
    }

    fn each_record(&mut self, mac: usize, act: impl Fn(&World, &str)) {
        for (record, _) in &self.macs[mac].records {
            act(&self.world, record);
        }
    }

    async fn look(&self) {
        self.world.sweep_again(&self.path).await;
    }

    /// Queries by every identifier, and checks each `trusted` against the true state.
    async fn check(&self) {
        let mut asked = Vec::new();
        for (place, (serial, udid)) in MACS.into_iter().enumerate() {
            asked.push((place, None, json!({ "serial_number": serial })));
            asked.push((place, None, json!({ "udid": udid })));
            for (record, _) in &self.macs[place].records {
                asked.push((place, Some(record), json!({ "okta_device_id": record })));
            }
        }
        let devices: Vec<&Value> = asked.iter().map(|(_, _, question)| question).collect();
        let answer = self.world.query_trust(&json!({ "devices": devices })).await.expect(200);
        for (place, (mac, record, question)) in asked.iter().enumerate() {
            let item = &answer["items"][place];
            if item["trust"] == "trusted" {
                assert!(
                    self.is_supported(*mac, record.map(String::as_str)),
                    "{question}: {item}\n{}",
                    self.told.join("\n")
                );
            }
        }
    }

    /// Returns whether a remaining user signed in on the Mac in its present life, on a record that was used
    /// since the newest one was created.
    fn is_supported(&self, mac: usize, asked: Option<&str>) -> bool {
        let known = &self.macs[mac];
        let newest = known.records.iter().map(|(_, created)| *created).max();
        known.enrolled
            && self.sign_ins.iter().any(|one| {
                let record = self.world.acme.find_device(&one.record).expect("a record");
                one.mac == mac
                    && asked.is_none_or(|asked| asked == one.record)
                    && known.left_at.is_none_or(|left| one.at > left)
                    && newest.is_none_or(|newest| one.at >= newest)
                    && record.status == "ACTIVE"
                    && record.users.iter().any(|link| link.user_id == one.user)
            })
    }

    /// Sets the Mac up correctly, so that it becomes trusted.
    async fn heal(&mut self, mac: usize) {
        self.pass(11);
        self.enroll(mac).await;
        self.deliver(mac).await;
        self.each_record(mac, |world, record| drop(world.acme.unsuspend(record)));
        self.look().await;
        self.pass(11);
        for (record, user) in std::mem::take(&mut self.macs[mac].accounts) {
            self.world.acme.remove_user(&record, &user).expect("a record");
        }
        self.look().await;
        self.pass(2);
        self.register(mac, 0);
        self.pass(2);
        self.sign_in(mac, 0);
        self.look().await;
        until("it is trusted again", async || {
            self.world.make_job_due("rereads");
            self.world.trust_status(MACS[mac].0).await["trust"] == "trusted"
        })
        .await;
    }
}

#[tokio::test]
async fn random_histories_give_no_wrong_verdict_and_trust_is_restored() {
    for seed in 1..=SEEDS {
        let mut dice = Dice(seed);
        let mut life = Life::start(seed).await;
        for _ in 0..STEPS {
            life.step(&mut dice).await;
            life.look().await;
            life.check().await;
        }
        for mac in 0..2 {
            life.heal(mac).await;
            life.check().await;
        }
    }
}
