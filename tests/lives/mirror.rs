//! Drives the store as the service's workers do: reports, sweeps by page, incremental reads, re-reads,
//! event hooks, live reads and housekeeping. The jobs stay claimed, so that no other history claims them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use okta_device_trust::crypto::HookSecretDigest;
use okta_device_trust::model::integrations::notices::Notice;
use okta_device_trust::model::trust_status::{AskedDevice, Facts};
use okta_device_trust::model::{
    Actor, ClaimedJob, DeviceMention, EventKind, HookId, IntegrationId, Job, JobKind, NewEvent,
    OktaDevice, ReadPage, SerialNumber, TenantId,
};
use okta_device_trust::store::{
    Expired, HookCall, LiveFinding, LiveSearch, Read, Store, SweepStep,
};
use strum::VariantArray;

use crate::mdm::Message;
use crate::okta::users_of;
use crate::reference::MAX_LAG;
use crate::truth::{MachineId, Time};
use crate::world::{Seen, World};

/// Longer than any history, so that claimed jobs stay claimed.
pub const LEASE: Duration = Duration::from_hours(24 * 365 * 50);
pub const ORG_ID: &str = "00oLives";
const PAGE: usize = 3;
/// How often pending devices are re-read.
const PENDING_INTERVAL: Duration = Duration::from_mins(5);

/// A fault of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFault {
    None,
    /// It shows only every third record.
    Shrunk,
    /// `users: null` for all records.
    NoUsers,
    /// `users: null` for one record.
    NoUsersOfDevice(usize),
    /// The response has no users.
    UsersOmitted,
    /// Okta becomes unavailable after the first page.
    Interrupted,
}

/// A replica of the service, for one tenant.
pub struct Replica {
    pub store: Store,
    pub clock: Arc<Mutex<Time>>,
    pub tenant: TenantId,
    pub integration: IntegrationId,
    pub jobs: Vec<ClaimedJob>,
    pub hook: (HookId, HookSecretDigest),
    /// Changes up to this time are read.
    pub read_until: Option<Time>,
    /// Whether a sweep was completed.
    pub swept: bool,
}

impl Replica {
    fn claimed(&self, kind: JobKind) -> &ClaimedJob {
        self.jobs.iter().find(|job| job.kind == kind).expect("all jobs are claimed")
    }

    fn job(&self, kind: JobKind) -> Job {
        self.claimed(kind).of_integration().expect("a job of the integration")
    }

    fn set_clock(&self, now: Time) {
        *self.clock.lock().expect("clock") = now;
    }

    /// Stores the MDM's reports that have arrived.
    pub async fn receive(&self, world: &mut World) {
        for queued in world.mdm.arrivals(world.now) {
            self.set_clock(queued.due);
            let machine = &world.truth.machines[world.mdm.events[queued.event].machine];
            let (taken, udid) = match world.mdm.write(&queued, machine) {
                Message::Report(report) => {
                    let udid = report.udid.clone().flatten().map(|udid| udid.to_string());
                    let results = self.store.update_devices(&self.tenant, vec![*report]).await;
                    (results.expect("reports")[0].is_ok(), udid)
                }
                Message::Delete { serial_number, at } => {
                    let deleted = self.store.delete_device(&self.tenant, serial_number, Some(at));
                    deleted.await.expect("deletion");
                    (true, None)
                }
            };
            // What takes trust away must not be refused.
            if taken || world.mdm.is_departure(&queued) {
                world.mdm.mark_arrived(&queued, udid);
            }
        }
    }

    /// Stores a snapshot of the MDM's fleet. Devices that are neither in it nor reported since have left.
    pub async fn reconcile(&self, world: &mut World) {
        self.set_clock(world.now);
        let machines = 0..world.truth.machines.len();
        let serial = |m: MachineId| {
            SerialNumber::parse(&world.truth.machines[m].serial_number).expect("a serial number")
        };
        let named = machines.clone().filter(|m| world.mdm.believes_enrolled(*m)).map(serial);
        let id = format!("snapshot-{}", world.now.timestamp_millis());
        let snapshot = self.store.save_snapshot_page(&self.tenant, id.clone(), named.collect());
        let began_at = snapshot.await.expect("a snapshot").began_at;
        let mut after = Some(String::new());
        while let Some(last) = after {
            let batch = self.store.unenroll_missing_devices(&self.tenant, id.clone(), last).await;
            after = batch.expect("a batch");
        }
        let event =
            NewEvent::by_actor(Actor::service(), self.integration, EventKind::DevicesReconciled);
        self.store.complete_snapshot(&self.tenant, id, event).await.expect("complete");
        for m in machines {
            let Ok(device) = self.store.get_device(&self.tenant, serial(m)).await else { continue };
            let left = device
                .enrollment
                .is_some_and(|known| known.is_ended() && known.reported_at == began_at);
            if left {
                world.mdm.mark_left(m, began_at);
            }
        }
    }

    /// Runs a sweep, or the rest of one.
    pub async fn sweep(&mut self, world: &mut World, fault: ListFault, lag: TimeDelta) {
        self.set_clock(world.now);
        let job = self.job(JobKind::Sweep);
        let mut at = self.store.begin_sweep(&job, LEASE).await.expect("sweep");
        loop {
            world.pass(TimeDelta::seconds(1));
            self.set_clock(world.now);
            let as_of = world.now - lag;
            let after = at.cursor.clone().unwrap_or_default();
            let rows = world.org.as_of(as_of);
            let shown = rows.into_iter().enumerate().filter(|(place, device)| {
                device.id > after && (fault != ListFault::Shrunk || place % 3 == 0)
            });
            let mut shown: Vec<OktaDevice> = shown.map(|(_, device)| device).collect();
            let more = shown.len() > PAGE;
            shown.truncate(PAGE);
            let next = shown.last().filter(|_| more).map(|device| device.id.clone());
            for device in &mut shown {
                apply_fault(device, fault);
                record_list(world, device, as_of);
            }
            let page = to_page(world, shown, next);
            let saved = self.store.save_sweep_page(&job, LEASE, &at, page).await;
            match saved.expect("a page") {
                SweepStep::Continue(_) if fault == ListFault::Interrupted => return,
                SweepStep::Continue(next) => at = next,
                _ => break,
            }
        }
        if !self.swept {
            self.read_until = Some(world.now - MAX_LAG);
            self.swept = true;
        }
    }

    /// Reads the changed devices.
    pub async fn read_changes(&mut self, world: &mut World, lag: TimeDelta) {
        if !self.swept {
            return;
        }
        self.set_clock(world.now);
        let since = self.read_until.unwrap_or(world.now) - TimeDelta::minutes(5);
        let as_of = world.now - lag;
        let mut changed = world.org.as_of(as_of);
        changed.retain(|device| device.last_updated > since);
        for device in &changed {
            record_list(world, device, as_of);
        }
        let latest = changed.iter().map(|device| device.last_updated).max();
        let page = to_page(world, changed, None);
        let job = &self.job(JobKind::Incremental);
        self.store.save_read_page(job, LEASE, page).await.expect("changes");
        self.read_until = self.read_until.max(latest.map(|latest| latest.min(world.now)));
    }

    /// Handles requested re-reads, and reads the users of pending devices.
    pub async fn reread(&self, world: &mut World) {
        self.set_clock(world.now);
        let job = &self.job(JobKind::Rereads);
        let due =
            self.store.list_due_rereads(job, LEASE, PENDING_INTERVAL, 50).await.expect("rereads");
        for asked in due {
            let id = asked.okta_device_id.clone();
            let saved = match world.org.device(&id) {
                Some(device) => {
                    let read = to_read(device.clone(), world.now);
                    self.store.save_reread(job, LEASE, &asked, read).await
                }
                None => self.store.mark_not_found(job, LEASE, &id, world.now, Some(&asked)).await,
            };
            saved.expect("a reread");
            record_read_by_id(world, &id, true);
        }
        let pending = self.store.list_pending_devices(job, LEASE, PENDING_INTERVAL, 50).await;
        for id in pending.expect("pending devices") {
            let saved = match world.org.device(&id) {
                Some(device) => {
                    let read = to_read(users_of(device).to_vec(), world.now);
                    self.store.save_device_users(job, LEASE, &id, read).await
                }
                None => self.store.mark_not_found(job, LEASE, &id, world.now, None).await,
            };
            saved.expect("users");
            let gone = world.org.device(&id).is_none();
            record_read_by_id(world, &id, gone);
        }
    }

    /// Delivers event hooks for records whose status changed since the last delivery.
    pub async fn deliver_hooks(&mut self, world: &World) {
        self.set_clock(world.now);
        let mut mentions = Vec::new();
        for (id, record) in &world.org.records {
            let statuses = record.history.windows(2).filter_map(|two| {
                let status = |of: &Option<OktaDevice>| of.as_ref().map(|one| one.status.clone());
                (status(&two[0].1) != status(&two[1].1)).then_some(two[1].0)
            });
            if let Some(published) = statuses.max() {
                mentions.push(DeviceMention {
                    id: id.clone(),
                    is_device: true,
                    lifecycle_at: Some(published),
                });
            }
        }
        if mentions.is_empty() {
            return;
        }
        let call = HookCall { hook: self.hook.0, secret: self.hook.1.clone() };
        self.store.create_hook_rereads(call, mentions).await.expect("a delivery");
        let asked = self.store.request_hook_rereads(&self.tenant, self.integration).await;
        asked.expect("rereads");
    }

    /// Performs a live read for a query about this machine.
    pub async fn read_live(&self, world: &mut World, m: MachineId) {
        self.set_clock(world.now);
        let serial_number = &world.truth.machines[m].serial_number;
        let mut found = world.org.as_of(world.now);
        found.retain(|device| device.serial_number.as_ref() == Some(serial_number));
        let Some(newest) = found.iter().max_by_key(|device| device.created).cloned() else {
            return;
        };
        for device in &found {
            record_list(world, device, world.now);
        }
        let id = newest.id.clone();
        let search = LiveSearch {
            org_id: ORG_ID.to_owned(),
            found,
            newest: LiveFinding::Device(Box::new(newest)),
            read_at: world.now,
        };
        let saved = self.store.save_live_read(&self.tenant, self.integration, search).await;
        saved.expect("a live read");
        record_read_by_id(world, &id, true);
    }

    pub async fn delete_expired(&self, world: &World) {
        self.set_clock(world.now);
        let job = self.claimed(JobKind::Housekeeping);
        for what in Expired::VARIANTS {
            self.store.delete_expired(job, LEASE, *what).await.expect("housekeeping");
        }
    }

    pub async fn notices(&self, world: &World) -> Vec<Notice> {
        self.set_clock(world.now);
        let record = self.store.get_integration(&self.tenant, self.integration).await;
        record.expect("the integration").notices
    }

    /// Returns the service's facts about each of these devices.
    pub async fn ask(&self, world: &World, asked: Vec<AskedDevice>) -> Vec<Facts> {
        self.set_clock(world.now);
        let facts = self.store.get_trust_facts(&self.tenant, None, asked).await;
        facts.expect("facts").devices
    }
}

fn to_page(world: &World, devices: Vec<OktaDevice>, next: Option<String>) -> ReadPage {
    ReadPage {
        org_id: ORG_ID.to_owned(),
        devices,
        next,
        read_at: world.now,
        at: Some(world.now),
        limit: None,
    }
}

fn to_read<T>(value: T, read_at: Time) -> Read<T> {
    Read { value, read_at, org_id: ORG_ID.to_owned(), limit: None }
}

fn apply_fault(device: &mut OktaDevice, fault: ListFault) {
    let number: usize = device.id.trim_start_matches("guo").parse().unwrap_or_default();
    match fault {
        ListFault::NoUsers => device.users = Some(Vec::new()),
        ListFault::NoUsersOfDevice(one) if one == number => device.users = Some(Vec::new()),
        ListFault::UsersOmitted => device.users = None,
        _ => {}
    }
}

/// Records that a list showed this device. It is complete if it has users and no read by ID outweighs it.
fn record_list(world: &mut World, device: &OktaDevice, as_of: Time) {
    let now = world.now;
    let seen = world.seen.entry(device.id.clone());
    let seen = seen.or_insert(Seen { whole_at: Time::UNIX_EPOCH, by_id_at: None });
    let outweighed = seen.by_id_at.is_some_and(|at| now - at <= MAX_LAG);
    if !outweighed && !users_of(device).is_empty() {
        // Another list may show an earlier state.
        seen.whole_at = seen.whole_at.max(as_of - MAX_LAG);
    }
}

fn record_read_by_id(world: &mut World, id: &str, whole: bool) {
    let now = world.now;
    let seen = world.seen.entry(id.to_owned());
    let seen = seen.or_insert(Seen { whole_at: Time::UNIX_EPOCH, by_id_at: None });
    seen.by_id_at = Some(now);
    if whole {
        seen.whole_at = now;
    }
}
