//! An actix server on a thread and a system of its own, so that it runs beside any runtime, or none.
//!
//! Never handles signals: they belong to the program that it stands in.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::System;

#[derive(Debug)]
pub(crate) struct Background {
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// `make` builds the server, already bound, on the new thread.
    pub fn start(
        name: &str,
        make: impl FnOnce() -> io::Result<Server> + Send + 'static,
    ) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_string()).spawn(move || {
            System::new().block_on(async move {
                let server = match make() {
                    Ok(server) => server,
                    Err(error) => {
                        let _ = tell.send(Err(error));
                        return;
                    }
                };
                let _ = tell.send(Ok(server.handle()));
                // An error here means that the server has ended, which its clients notice by themselves.
                let _ = server.await;
            });
        })?;
        let handle = told
            .recv()
            .map_err(|_| io::Error::other("the server's thread ended before it could start"))??;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// Closes the listener and every connection; returns when that is done.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The order is sent by the call itself; waiting for the thread also waits for the outcome.
            drop(self.handle.stop(false));
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}
