//! SIGTERM while requests are in flight.

use std::time::{Duration, Instant};

use testkit::okta::Fault;

use crate::support::process::Process;
use crate::support::world::World;

#[tokio::test]
async fn request_in_flight_finishes_during_a_graceful_shutdown() {
    let mut world = World::build().without_service().await;
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = format!("{}/credentials", world.integration().await);
    world.acme.fail(Fault::delay_ms(2000).on("/oauth2/v1/token"));
    let asked_before = world.acme.journal().entries().len();
    let credentials = world.credentials();
    let in_flight = world.put(&path, &credentials);
    let stop = async {
        while world.acme.journal().entries().len() < asked_before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = Instant::now();
        service.terminate();
        let address = service.base.trim_start_matches("http://").to_owned();
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            assert!(told.elapsed() < Duration::from_secs(1), "new connections are still accepted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(service.is_running(), "it stopped during a request");
        told
    };
    let (answer, told) = tokio::join!(in_flight, stop);
    assert!(told.elapsed() > Duration::from_secs(1), "the request was no longer in flight");
    answer.expect(201);
    // The grace period of the tests is 5 s.
    let patience = Duration::from_secs(6).saturating_sub(told.elapsed());
    assert_eq!(service.exit_code(patience).await, Some(0), "{}", service.said());
    assert!(service.said().contains("\"stopped\""));
    assert_eq!(world.count("credentials"), 1);
}

#[tokio::test]
async fn request_longer_than_the_grace_period_does_not_delay_the_shutdown() {
    let builder = World::build().setting("ODT_SHUTDOWN_GRACE_SECONDS", "1");
    let mut world = builder.without_service().await;
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = format!("{}/credentials", world.integration().await);
    world.acme.fail(Fault::delay_ms(9000).on("/oauth2/v1/token"));
    let asked_before = world.acme.journal().entries().len();
    let request = world.http.put(format!("{}{path}", world.base));
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let request = request.bearer_auth(token).json(&world.credentials()).send();
    let stop = async {
        while world.acme.journal().entries().len() < asked_before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.terminate();
        service.exit_code(Duration::from_secs(4)).await
    };
    let (cut, code) = tokio::join!(request, stop);
    assert!(cut.is_err(), "there was a response: {cut:?}");
    assert_eq!(code, Some(0), "{}", service.said());
}
