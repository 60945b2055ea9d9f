//! The steps in the order of a setup.

mod connect;
mod deployments;
mod ios;
mod leave;
mod macos;
mod prerequisites;
mod refusals;
mod trust;
mod wizard;

use super::answer::Broken;
use super::client::Tour;

pub async fn walk(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("The service is ready", refusals::ready).await?;
    tour.step("A request without a token is refused", refusals::no_token).await?;
    tour.step("An invalid domain is refused", refusals::no_domain).await?;
    tour.step("The admin pastes the URL of the Okta Admin Console", connect::create).await?;
    tour.step("A repeated request changes nothing", connect::repeat).await?;
    tour.step("The same org cannot be connected twice", connect::create_again).await?;
    tour.step("The wizard sends the admin to Okta", wizard::authorize).await?;
    tour.step("A wrong secret is refused, and not stored", connect::wrong_secret).await?;
    tour.step("The right credentials connect the org", connect::right_secret).await?;
    tour.step("The prerequisites report", prerequisites::report).await?;
    tour.step("FastPass is disabled in Okta", prerequisites::fastpass_off).await?;
    tour.step("FastPass is enabled again", prerequisites::fastpass_on).await?;
    tour.step("A scope is revoked in Okta", prerequisites::scope_lost).await?;
    tour.step("The scope is granted again", prerequisites::scope_back).await?;
    tour.step("The admin attests what no API shows", prerequisites::attest).await?;
    tour.step("A change with an outdated ETag is refused", wizard::stale_change).await?;
    tour.step("The admin chooses the platforms", wizard::choose_platforms).await?;
    tour.step("The wizard shows the next step", wizard::overview).await?;
    configure(tour).await?;
    deploy(tour).await?;
    trust(tour).await?;
    tour.step("A token without the scope is refused", refusals::no_scope).await?;
    tour.step("Another tenant sees nothing", refusals::other_tenant).await?;
    tour.step("The audit log has all changes", leave::audit).await?;
    tour.step("The credentials are deleted", leave::delete_credentials).await?;
    tour.step("A deletion needs a confirmation", leave::unconfirmed).await?;
    tour.step("The integration is deleted", leave::delete_integration).await?;
    tour.step("No response leaked a secret", leave::no_secret).await
}

async fn configure(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("The catalogue describes the fields of macOS", macos::catalogue).await?;
    tour.step("A SCEP URL on another host is refused", macos::other_host).await?;
    tour.step("A wrong SCEP password is refused, and not stored", macos::wrong_password).await?;
    tour.step("The values of macOS are verified", macos::dry_run).await?;
    tour.step("macOS is configured", macos::configured).await?;
    tour.step("The attestation is replaced by evidence", macos::mfa_inferred).await?;
    tour.step("The wizard shows what to enter in Okta for iOS", ios::to_copy).await?;
    tour.step("A secret key of seven characters is refused", ios::short_key).await?;
    tour.step("iOS is configured", ios::configured).await?;
    tour.step("The wizard is complete", wizard::complete).await?;
    tour.step("The SCEP password is reset in Okta", macos::reset).await?;
    tour.step("The new password is entered", macos::rotate).await
}

async fn deploy(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("The admin cannot deploy", deployments::admin_may_not).await?;
    tour.step("The MDM gets a challenge for one Mac", deployments::one_challenge).await?;
    tour.step("The MDM gets a deployment for one Mac", deployments::for_a_mac).await?;
    tour.step("The settings profile as a file", deployments::as_a_file).await?;
    tour.step("The MDM gets a deployment for one iPhone", deployments::for_an_iphone).await?;
    tour.step("A sixth challenge in ten minutes is refused", deployments::too_often).await
}

async fn trust(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("Okta's devices are mirrored", trust::mirrored).await?;
    tour.step("The MDM reports a Mac", trust::reported).await?;
    tour.step("The Mac is not trusted, with the reason", trust::untrusted).await?;
    tour.step("Its configuration is delivered", trust::delivered).await?;
    tour.step("Okta Verify registers it", trust::registered).await?;
    tour.step("Its user signs in with FastPass, and it is trusted", trust::signed_in).await?;
    tour.step("A gateway queries a thousand devices at once", trust::a_thousand).await?;
    tour.step("A conditional request is answered with 304", trust::not_modified).await?;
    tour.step("Okta is unreachable: the verdict stays and is stale", trust::outage).await?;
    tour.step("Okta is reachable again", trust::outage_over).await?;
    tour.step("The event hook is created", trust::hook).await?;
    tour.step("The Mac is suspended in Okta, and an event arrives", trust::suspended).await?;
    tour.step("The Mac is active in Okta again", trust::unsuspended).await?;
    tour.step("The MDM reports the Mac as wiped", trust::wiped).await?;
    tour.step("An iPhone is enrolled and configured", ios::delivered).await?;
    tour.step("Okta Verify reads its configuration and registers it", ios::registered).await?;
    tour.step("Its user signs in with FastPass, and it is trusted", ios::signed_in).await?;
    tour.step("The summary of the tenant", trust::summary).await
}
