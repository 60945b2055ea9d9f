//! An Actix server on its own thread and system, so that it runs next to any runtime, or none.
//!
//! It does not handle signals; those belong to the surrounding program.

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
    /// Starts a server; `make` builds and binds it on the new thread.
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
                // An error means that the server has ended, which its clients detect.
                let _ = server.await;
            });
        })?;
        let handle = told
            .recv()
            .map_err(|_| io::Error::other("the server's thread ended before it could start"))??;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// Closes the listener and every connection, and waits for that.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The call sends the command; joining the thread waits for its completion.
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
