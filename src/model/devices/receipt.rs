//! Checks the times in a report against the time of receipt. A time ahead of the server's clock is never
//! stored: it would hide newer reports until the clock has caught up.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, DeviceReport, Enrollment, GroupResult, LostMode, OktaVerify,
    ReportRefusal, ReportResults,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// How far ahead of the server's clock the time of a report may be.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The stored time of a report, and the time as sent, which may have been ahead of the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub at: DateTime<Utc>,
    /// Not before `at`.
    pub sent_at: DateTime<Utc>,
}

impl Stamp {
    /// Returns the stamp of a time that was not ahead of the server's clock.
    pub fn exact(at: DateTime<Utc>) -> Self {
        Self { at, sent_at: at }
    }

    /// Returns the stamp of a report that must be stored even if its time is ahead. The time as sent is
    /// limited to [`CLOCK_SKEW`] ahead, so that a time years ahead cannot block later reports for years.
    pub fn received(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        if at <= now {
            Self::exact(at)
        } else {
            Self { at: now, sent_at: at.min(now + CLOCK_SKEW) }
        }
    }

    pub fn was_ahead(self) -> bool {
        self.sent_at > self.at
    }

    /// Returns whether both times are later than those of `other`. A report that grants trust replaces one
    /// that removes it only then, because clocks that are ahead can make one of the two times misleading.
    pub fn is_later_by_both(self, other: Self) -> bool {
        self.at > other.at && self.sent_at > other.sent_at
    }
}

/// Returns the stamp of a report that grants trust. If it was sent no later than the latest such report
/// whose time was ahead, it is no newer than the first receipt of that one.
pub(super) fn first_received(ahead: &mut Option<Stamp>, stamp: Stamp) -> Stamp {
    match *ahead {
        Some(first) if stamp.sent_at <= first.sent_at => {
            Stamp { at: stamp.at.min(first.at), ..stamp }
        }
        _ => {
            if stamp.was_ahead() {
                *ahead = Some(stamp);
            }
            stamp
        }
    }
}

/// A report with its times as they are stored.
#[derive(Debug, Clone)]
pub struct ReceivedReport {
    pub serial_number: SerialNumber,
    pub platform: Platform,
    /// The time of the identifiers and of cleared groups.
    pub reported: Stamp,
    pub udid: Option<Option<Udid>>,
    pub okta_device_id: Option<Option<OktaDeviceId>>,
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Option<OktaVerify>>,
    pub check_in: Option<Option<CheckIn>>,
    pub lost_mode: Option<ReceivedLostMode>,
    pub deliveries: BTreeMap<IntegrationId, Option<Delivery>>,
    pub certificates: BTreeMap<IntegrationId, Option<Certificate>>,
    /// The results of the ignored groups, and the times that were replaced.
    pub results: ReportResults,
}

impl DeviceReport {
    /// Returns whether it reports that the device left or was lost.
    fn removes_trust(&self) -> bool {
        let left = self.enrollment.as_ref().is_some_and(Enrollment::is_ended);
        left || self.lost_mode.as_ref().is_some_and(|lost| lost.as_ref().is_some_and(|l| l.enabled))
    }

    /// Returns the report as it is stored at `now`. Times up to 5 minutes ahead become the time of receipt.
    /// Groups that remove trust are stored however far ahead they are; other groups of such a report that
    /// are further ahead are ignored.
    ///
    /// # Errors
    /// [`ReportRefusal::Ahead`] for times further ahead in a report that does not remove trust.
    pub fn receive(&self, now: DateTime<Utc>) -> Result<ReceivedReport, ReportRefusal> {
        let mut clock = Clock { now, replaced: Vec::new(), too_far: Vec::new(), is_valid: true };
        let mut results = ReportResults::default();
        let reported = self.reported_at.map(|at| clock.check("/reported_at", at));
        clock.is_valid = reported != Some(None);
        let identity = self.udid.is_some() || self.okta_device_id.is_some();
        if identity && !clock.is_valid {
            results.identity = Some(GroupResult::IgnoredAhead);
        }
        let enrollment = clock.enrollment(self.enrollment.as_ref(), &mut results.enrollment);
        let okta_verify =
            clock.group("/okta_verify", self.okta_verify.as_ref(), &mut results.okta_verify);
        let check_in = clock.group("/check_in", self.check_in.as_ref(), &mut results.check_in);
        let lost_mode = clock.lost_mode(self.lost_mode.as_ref(), &mut results.lost_mode);
        let deliveries = clock.groups("/deliveries", &self.deliveries, &mut results.deliveries);
        let certificates =
            clock.groups("/certificates", &self.certificates, &mut results.certificates);
        if !clock.too_far.is_empty() && !self.removes_trust() {
            return Err(ReportRefusal::Ahead(clock.too_far));
        }
        let newest = (enrollment.iter().map(|enrollment| enrollment.reported_at))
            .chain(okta_verify.iter().flatten().map(|group| group.reported_at))
            .chain(check_in.iter().flatten().map(|group| group.reported_at))
            .chain(lost_mode.iter().filter_map(|lost| lost.stamp).map(|stamp| stamp.at))
            .chain(deliveries.values().flatten().map(|group| group.reported_at))
            .chain(certificates.values().flatten().map(|group| group.reported_at))
            .max();
        results.stored_as_of_receipt = clock.replaced;
        Ok(ReceivedReport {
            serial_number: self.serial_number.clone(),
            platform: self.platform,
            reported: reported.flatten().unwrap_or_else(|| Stamp::exact(newest.unwrap_or(now))),
            udid: self.udid.clone().filter(|_| clock.is_valid),
            okta_device_id: self.okta_device_id.clone().filter(|_| clock.is_valid),
            enrollment,
            okta_verify,
            check_in,
            lost_mode,
            deliveries,
            certificates,
            results,
        })
    }
}

impl ReceivedReport {
    /// Iterates over the integrations that the report refers to.
    pub fn integrations(&self) -> impl Iterator<Item = IntegrationId> {
        self.deliveries.keys().chain(self.certificates.keys()).copied()
    }

    /// Iterates over the times of the identifiers and groups, except the enrolment.
    pub(super) fn group_times(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let at = self.reported.at;
        let identity = (self.udid.is_some() || self.okta_device_id.is_some()).then_some(at);
        let verify = self.okta_verify.iter().map(move |group| time_of(group.as_ref(), at));
        let check_in = self.check_in.iter().map(move |group| time_of(group.as_ref(), at));
        let lost = self.lost_mode.map(|lost| lost.stamp.map_or(at, |stamp| stamp.at));
        let deliveries = self.deliveries.values().map(move |group| time_of(group.as_ref(), at));
        let certificates = self.certificates.values().map(move |group| time_of(group.as_ref(), at));
        let single = identity.into_iter().chain(verify).chain(check_in).chain(lost);
        single.chain(deliveries).chain(certificates)
    }
}

fn time_of<T: Group>(group: Option<&T>, cleared_at: DateTime<Utc>) -> DateTime<Utc> {
    group.map_or(cleared_at, Group::reported_at)
}

/// The lost mode group of a report.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedLostMode {
    /// `None`: cleared.
    pub enabled: Option<bool>,
    /// `None`: the report's own time applies.
    pub stamp: Option<Stamp>,
}

/// A group with its own `reported_at`.
trait Group: Clone {
    fn reported_at(&self) -> DateTime<Utc>;

    /// Returns the group as reported at `at`. Its later times are reduced to that.
    fn with_reported_at(self, at: DateTime<Utc>) -> Self;
}

impl Group for OktaVerify {
    fn reported_at(&self) -> DateTime<Utc> {
        self.reported_at
    }

    fn with_reported_at(self, at: DateTime<Utc>) -> Self {
        Self { installed_at: self.installed_at.min(at), reported_at: at }
    }
}

impl Group for CheckIn {
    fn reported_at(&self) -> DateTime<Utc> {
        self.reported_at
    }

    fn with_reported_at(self, at: DateTime<Utc>) -> Self {
        Self { last_seen_at: self.last_seen_at.min(at), reported_at: at }
    }
}

impl Group for Delivery {
    fn reported_at(&self) -> DateTime<Utc> {
        self.reported_at
    }

    fn with_reported_at(self, at: DateTime<Utc>) -> Self {
        Self { delivered_at: self.delivered_at.min(at), reported_at: at, ..self }
    }
}

/// The validity period is set by the CA, not the MDM, so it is stored unchanged.
impl Group for Certificate {
    fn reported_at(&self) -> DateTime<Utc> {
        self.reported_at
    }

    fn with_reported_at(self, at: DateTime<Utc>) -> Self {
        Self { reported_at: at, ..self }
    }
}

/// Checks the times of one report against the time of receipt.
struct Clock {
    now: DateTime<Utc>,
    /// JSON pointers of times that were replaced by the time of receipt.
    replaced: Vec<String>,
    /// JSON pointers of times that are too far ahead.
    too_far: Vec<String>,
    /// Whether the report's own `reported_at` can be stored. Identifiers and cleared groups need it.
    is_valid: bool,
}

impl Clock {
    /// Returns the time as it is stored; `None` if it is too far ahead.
    fn check(&mut self, pointer: &str, at: DateTime<Utc>) -> Option<Stamp> {
        if at > self.now + CLOCK_SKEW {
            self.too_far.push(pointer.to_owned());
            return None;
        }
        Some(self.accept(pointer, at))
    }

    /// Returns the time as it is stored, however far ahead it is.
    fn accept(&mut self, pointer: &str, at: DateTime<Utc>) -> Stamp {
        let stamp = Stamp::received(at, self.now);
        if stamp.was_ahead() {
            self.replaced.push(pointer.to_owned());
        }
        stamp
    }

    fn enrollment(
        &mut self,
        sent: Option<&Enrollment>,
        result: &mut Option<GroupResult>,
    ) -> Option<Enrollment> {
        let sent = sent?;
        let pointer = "/enrollment/reported_at";
        let stamp = if sent.is_ended() {
            Some(self.accept(pointer, sent.reported_at))
        } else {
            self.check(pointer, sent.reported_at)
        };
        if stamp.is_none() {
            *result = Some(GroupResult::IgnoredAhead);
        }
        stamp.map(|stamp| sent.clone().with_stamp(stamp))
    }

    fn lost_mode(
        &mut self,
        sent: Option<&Option<LostMode>>,
        result: &mut Option<GroupResult>,
    ) -> Option<ReceivedLostMode> {
        let pointer = "/lost_mode/reported_at";
        let lost = match sent? {
            Some(lost) if lost.enabled => {
                Some((Some(true), Some(self.accept(pointer, lost.reported_at))))
            }
            Some(lost) => {
                self.check(pointer, lost.reported_at).map(|stamp| (Some(false), Some(stamp)))
            }
            None => self.is_valid.then_some((None, None)),
        };
        if lost.is_none() {
            *result = Some(GroupResult::IgnoredAhead);
        }
        lost.map(|(enabled, stamp)| ReceivedLostMode { enabled, stamp })
    }

    #[expect(
        clippy::option_option,
        reason = "outer: the group is absent or ignored; inner: it is cleared"
    )]
    fn group<T: Group>(
        &mut self,
        pointer: &str,
        sent: Option<&Option<T>>,
        result: &mut Option<GroupResult>,
    ) -> Option<Option<T>> {
        let group = match sent? {
            Some(group) => {
                let stamp = self.check(&format!("{pointer}/reported_at"), group.reported_at());
                stamp.map(|stamp| Some(group.clone().with_reported_at(stamp.at)))
            }
            None => self.is_valid.then_some(None),
        };
        if group.is_none() {
            *result = Some(GroupResult::IgnoredAhead);
        }
        group
    }

    fn groups<T: Group>(
        &mut self,
        pointer: &str,
        sent: &BTreeMap<IntegrationId, Option<T>>,
        results: &mut BTreeMap<IntegrationId, GroupResult>,
    ) -> BTreeMap<IntegrationId, Option<T>> {
        let mut groups = BTreeMap::new();
        for (id, group) in sent {
            let mut result = None;
            let kept = self.group(&format!("{pointer}/{id}"), Some(group), &mut result);
            results.extend(result.map(|result| (*id, result)));
            groups.extend(kept.map(|group| (*id, group)));
        }
        groups
    }
}
