//! The steps, in the order in which an admin meets them.

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
    tour.step("Nobody gets in without a token", refusals::no_token).await?;
    tour.step("A domain that is none is refused", refusals::no_domain).await?;
    tour.step("The admin pastes the address of their Okta console", connect::create).await?;
    tour.step("Sending it again changes nothing", connect::repeat).await?;
    tour.step("The same org is not connected twice", connect::twice).await?;
    tour.step("The wizard sends the admin to Okta", wizard::authorize).await?;
    tour.step("A wrong secret is refused, and not stored", connect::wrong_secret).await?;
    tour.step("The right credentials connect the org", connect::right_secret).await?;
    tour.step("The report says what the org has", prerequisites::report).await?;
    tour.step("FastPass is switched off in Okta", prerequisites::fastpass_off).await?;
    tour.step("FastPass is on again", prerequisites::fastpass_on).await?;
    tour.step("A scope is taken away in Okta", prerequisites::scope_lost).await?;
    tour.step("The scope is granted again", prerequisites::scope_back).await?;
    tour.step("The admin confirms what no API can tell", prerequisites::attest).await?;
    tour.step("A change on stale knowledge is refused", wizard::stale_change).await?;
    tour.step("The admin chooses the platforms", wizard::choose_platforms).await?;
    tour.step("The wizard knows what is left", wizard::overview).await?;
    configure(tour).await?;
    deploy(tour).await?;
    trust(tour).await?;
    tour.step("A token without the scope may not look", refusals::no_scope).await?;
    tour.step("Another tenant sees nothing", refusals::other_tenant).await?;
    tour.step("The audit tells who did what", leave::audit).await?;
    tour.step("The credentials are deleted", leave::delete_credentials).await?;
    tour.step("A deletion that devices feel is asked back", leave::unconfirmed).await?;
    tour.step("The integration is deleted", leave::delete_integration).await?;
    tour.step("No answer held a secret that it should not", leave::no_secret).await
}

async fn configure(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("The catalogue says what macOS asks for", macos::catalogue).await?;
    tour.step("A SCEP URL on another host is refused", macos::other_host).await?;
    tour.step("A wrong SCEP password is refused, and not stored", macos::wrong_password).await?;
    tour.step("The values of macOS are tried", macos::dry_run).await?;
    tour.step("macOS is configured", macos::configured).await?;
    tour.step("What was confirmed is now seen", macos::mfa_inferred).await?;
    tour.step("The wizard says what to enter in Okta for iOS", ios::to_copy).await?;
    tour.step("A secret key of seven characters is refused", ios::short_key).await?;
    tour.step("iOS is configured", ios::configured).await?;
    tour.step("The wizard is complete", wizard::complete).await?;
    tour.step("The SCEP password is reset in Okta", macos::reset).await?;
    tour.step("The new password is entered", macos::rotate).await
}

async fn deploy(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("The admin may not deploy", deployments::admin_may_not).await?;
    tour.step("The MDM gets a challenge for one Mac", deployments::one_challenge).await?;
    tour.step("The MDM gets what one Mac needs", deployments::for_a_mac).await?;
    tour.step("The settings are to be had as a file", deployments::as_a_file).await?;
    tour.step("The MDM gets what one iPhone needs", deployments::for_an_iphone).await?;
    tour.step("A sixth challenge in ten minutes is refused", deployments::too_often).await
}

async fn trust(tour: &mut Tour) -> Result<(), Broken> {
    tour.step("Okta's devices are mirrored", trust::mirrored).await?;
    tour.step("The MDM reports a Mac", trust::reported).await?;
    tour.step("The Mac is not trusted, and it is said why", trust::untrusted).await?;
    tour.step("Its configuration is delivered", trust::delivered).await?;
    tour.step("Okta Verify registers it", trust::registered).await?;
    tour.step("Its user signs in with FastPass, and it is trusted", trust::signed_in).await?;
    tour.step("A gateway asks for a thousand devices at once", trust::a_thousand).await?;
    tour.step("An answer that is still good is not sent again", trust::not_modified).await?;
    tour.step("Okta is away: the verdict stays, and is called stale", trust::outage).await?;
    tour.step("Okta is back", trust::outage_over).await?;
    tour.step("The event hook is made", trust::hook).await?;
    tour.step("The Mac is suspended in Okta, and the hook tells", trust::suspended).await?;
    tour.step("The Mac is active in Okta again", trust::unsuspended).await?;
    tour.step("The MDM reports it wiped", trust::wiped).await?;
    tour.step("An iPhone is enrolled, and what it needs delivered", ios::delivered).await?;
    tour.step("Okta Verify reads its settings, and registers it", ios::registered).await?;
    tour.step("Its user signs in with FastPass, and it is trusted", ios::signed_in).await?;
    tour.step("The tenant's summary", trust::summary).await
}
