//! Checks the challenge of a certificate request for the SCEP server.
//!
//! The server runs a script for each request, which calls this process, which asks the org.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificate_request::find_challenge;
use crate::loopback_http::{Answer, Message, Served};
use crate::okta::Org;

/// Requires only bash and coreutils. The request is passed in DER on standard input.
const SCRIPT: &str = r#"#!/bin/bash
request=$(base64 -w0)
exec 3<>/dev/tcp/127.0.0.1/PORT || exit 1
printf 'POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "${#request}" "$request" >&3
read -r _ status _ <&3
[ "$status" = 204 ]
"#;

/// Responds with 204 to a request with a valid challenge, which is then used.
pub(super) fn serve(org: &Org) -> io::Result<Served> {
    let org = org.clone();
    Served::start(move |message: Message| {
        let request = STANDARD.decode(&message.body).unwrap_or_default();
        let challenge = find_challenge(&request).unwrap_or_default();
        let status = if org.consume_challenge(&challenge).is_ok() { 204 } else { 403 };
        Ok(Answer { status, content_type: None, body: Vec::new() })
    })
}

pub(super) fn write_script(folder: &Path, port: u16) -> io::Result<PathBuf> {
    let path = folder.join("verify");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
    file.write_all(SCRIPT.replace("PORT", &port.to_string()).as_bytes())?;
    drop(file);
    fs::canonicalize(path)
}
