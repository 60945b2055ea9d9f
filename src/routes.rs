//! The route table. Both the router and the OpenAPI document are built from it.

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, guard, web};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::SwaggerUi;

use crate::handlers::event_hooks::deliveries;
use crate::handlers::http::middleware;
use crate::handlers::http::problem::Problem;
use crate::handlers::integrations::{client_keys, credentials, prerequisites, setup};
use crate::handlers::platforms::{catalogue, deployments};
use crate::handlers::{
    devices, event_hooks, events, health, integrations, mirror, platforms, trust_status,
};
use crate::openapi;

/// Registers every operation of the API.
fn operations(config: &mut ServiceConfig<'_>) {
    config.service(health::get_liveness).service(health::get_readiness);
    // Okta sends no bearer token but the hook's secret.
    config.service(
        scope::scope("/hooks")
            .wrap(security_headers())
            .service(deliveries::verify_event_hook)
            .service(deliveries::receive_event_hook)
            .map(|scope| scope.service(deliveries::with_trailing_slash()))
            .default_service(web::to(unmatched)),
    );
    // Okta calls these paths without a token: the address is random and shows public keys only.
    config.service(
        scope::scope("/jwks")
            .wrap(security_headers())
            .service(client_keys::list_public_keys)
            .default_service(web::to(unmatched)),
    );
    // The token is verified before the body is read. Responses must not be cached.
    config.service(
        scope::scope("")
            .wrap(from_fn(middleware::authenticate))
            .wrap(security_headers())
            .service(integrations::create_integration)
            .service(integrations::list_integrations)
            .service(integrations::get_integration)
            .service(integrations::update_integration)
            .service(integrations::delete_integration)
            .service(setup::get_setup)
            .service(credentials::update_credentials)
            .service(credentials::delete_credentials)
            .service(client_keys::list_client_keys)
            .service(client_keys::create_client_key)
            .service(client_keys::delete_client_key)
            .service(prerequisites::list_prerequisites)
            .service(prerequisites::check_prerequisites)
            .service(prerequisites::attest_prerequisite)
            .service(catalogue::list_catalogue)
            .service(catalogue::get_catalogue_platform)
            .service(platforms::list_platforms)
            .service(platforms::get_platform)
            .service(platforms::update_platform)
            .service(platforms::patch_platform)
            .service(platforms::delete_platform)
            .service(platforms::verify_platform)
            .service(deployments::create_scep_challenge)
            .service(deployments::create_deployment)
            .service(mirror::get_sync)
            .service(mirror::create_sync)
            .service(mirror::list_okta_devices)
            .service(trust_status::get_trust_summary)
            .service(trust_status::list_trust_status)
            .service(trust_status::query_trust_status)
            .map(|scope| scope.service(post_only("/trust-status/devices/query")))
            .service(trust_status::get_trust_status)
            .service(devices::list_devices)
            .service(devices::update_devices)
            .map(|scope| scope.service(post_only("/devices/batch")))
            .service(devices::reconcile::reconcile_devices)
            .map(|scope| scope.service(post_only("/devices/reconcile")))
            .service(devices::get_device)
            .service(devices::update_device)
            .service(devices::delete_device)
            .service(event_hooks::get_event_hook)
            .service(event_hooks::update_event_hook)
            .service(event_hooks::revoke_previous_hook_secrets)
            .service(event_hooks::delete_event_hook)
            .service(events::list_events)
            .default_service(web::to(unmatched)),
    );
}

fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CACHE_CONTROL, "no-store"))
        .add((HeaderName::from_static("x-content-type-options"), "nosniff"))
}

/// Answers 405 for all methods but `POST`. Without this, other methods would take the last segment of
/// the path for a serial number.
fn post_only(path: &'static str) -> Resource {
    web::resource(path).guard(guard::Not(guard::Post())).default_service(web::to(unmatched))
}

/// Builds the OpenAPI document, without a server entry.
pub fn document() -> Document {
    use utoipa_actix_web::AppExt;
    let (_, document) = actix_web::App::new()
        .into_utoipa_app()
        .openapi(openapi::Base::openapi())
        .configure(operations)
        .split_for_parts();
    openapi::complete(document)
}

/// Registers the routes, the OpenAPI document and Swagger UI.
pub fn configure(config: &mut web::ServiceConfig, document: &Document) {
    let paths = web::Data::new(Methods::new(document));
    config
        .app_data(paths)
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", document.clone()))
        .service(web::redirect("/docs", "/docs/"))
        .service(health::other_methods(health::LIVE))
        .service(health::other_methods(health::READY));
    operations(&mut ServiceConfig::new(config));
}

/// The methods of each path, to distinguish 405 from 404.
struct Methods(Vec<(actix_web::dev::ResourceDef, Vec<&'static str>)>);

impl Methods {
    fn new(document: &Document) -> Self {
        let paths = document.paths.paths.iter();
        Self(
            paths
                .map(|(path, item)| {
                    (actix_web::dev::ResourceDef::new(path.as_str()), list_methods(item))
                })
                .collect(),
        )
    }

    fn allowed_at(&self, path: &str) -> Option<String> {
        let found = self.0.iter().find(|(definition, _)| definition.is_match(path));
        found.map(|(_, methods)| methods.join(", "))
    }
}

fn list_methods(item: &utoipa::openapi::path::PathItem) -> Vec<&'static str> {
    [
        ("GET", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ]
    .into_iter()
    .filter_map(|(method, exists)| exists.then_some(method))
    .collect()
}

async fn unmatched(request: HttpRequest, methods: web::Data<Methods>) -> HttpResponse {
    match methods.allowed_at(request.path()) {
        Some(allow) => Problem::method_not_allowed(allow),
        None => Problem::not_found(
            "There is nothing at this path. See /docs or /openapi.json for the API.",
        ),
    }
    .error_response()
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::RefOr;

    use super::*;
    use crate::handlers::http::kinds::KINDS;

    /// Returns the words of a description that look like a code.
    fn codes(description: &str) -> impl Iterator<Item = &str> {
        let words = description.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        words.filter(|word| word.contains('_'))
    }

    #[test]
    fn every_code_in_the_document_exists_with_that_status() {
        let document = document();
        let mut found = 0;
        for operation in document.paths.paths.values().flat_map(|item| {
            [&item.get, &item.put, &item.post, &item.delete, &item.patch].into_iter().flatten()
        }) {
            for (status, response) in &operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                for code in codes(&response.description).filter(|_| status.as_str() >= "400") {
                    let kind = KINDS.iter().find(|kind| kind.code == code);
                    assert_eq!(kind.map(|kind| kind.status.to_string()).as_ref(), Some(status));
                    found += 1;
                }
            }
        }
        assert!(found > 100, "{found}");
    }
}
