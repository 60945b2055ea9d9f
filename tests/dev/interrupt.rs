//! Handles Ctrl-C and SIGTERM. Ignores SIGHUP, so that `nohup cargo dev` outlives its terminal.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Exits at once on a second signal. PostgreSQL notices that this process is gone and stops.
    pub fn exit_on_the_next(mut self) {
        actix_web::rt::spawn(async move {
            self.received().await;
            std::process::exit(130);
        });
    }
}
