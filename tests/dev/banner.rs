//! The text that `cargo dev` prints when the stack is running: addresses, tokens and first requests.

use std::fmt::Write;
use std::path::Path;

use crate::env_file::quoted;
use crate::folder::Folder;
use crate::stack::Stack;
use crate::tokens::{ADMIN, MDM, TENANT, TRUST};

pub fn running(folder: &Folder, stack: &Stack) -> String {
    let facts = &stack.facts;
    let metrics = facts.metrics_url.as_ref().map(|url| format!("{url}/metrics"));
    let took = stack.start_took.as_secs_f64();
    let mut text = format!("\nOkta Device Trust is ready, after {took:.1} s.\n\n");
    row(&mut text, "API", &facts.url);
    row(&mut text, "Swagger UI", &format!("{}/docs/", facts.url));
    row(&mut text, "Metrics", metrics.as_deref().unwrap_or("off"));
    row(&mut text, "Simulated org", &format!("https://acme.okta.com, served at {}", facts.sim_url));
    row(&mut text, "  control page", &format!("{}/_sim", facts.sim_url));
    row(&mut text, "  root CA", &facts.sim_ca);
    row(&mut text, "  client id", &facts.sim_client_id);
    row(&mut text, "  client secret", &facts.sim_client_secret);
    row(&mut text, "  SCEP values", &format!("{}/_sim/orgs/acme, under scep", facts.sim_url));
    for note in &stack.notes {
        row(&mut text, "Note", note);
    }
    text.push_str(&tokens(stack));
    text.push_str(&first_calls(folder, stack));
    text.push_str(&footer(folder, stack));
    text
}

/// The text of a second `cargo dev`.
pub fn already_running(folder: &Folder) -> String {
    let Some(facts) = folder.announced() else {
        return "cargo dev: another instance is starting or stopping; try again in a moment\n"
            .to_owned();
    };
    format!(
        "cargo dev: another instance is running here (process {}); stop it first, or use it:\n  \
         API            {}\n  Swagger UI     {}/docs/\n  Simulated org  {}\n  \
         Values         . {}\n  Tour           cargo dev tour\n",
        facts.pid,
        facts.url,
        facts.url,
        facts.sim_url,
        quoted(&folder.env().to_string_lossy()),
    )
}

fn row(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<16} {value}");
}

fn tokens(stack: &Stack) -> String {
    let tokens = &stack.facts.tokens;
    let mut text = format!("\nBearer tokens of the tenant {TENANT}, valid for 30 days:\n");
    for (who, may, token) in [
        ("Admin", ADMIN.join(" "), &tokens.admin),
        ("MDM", MDM.join(" "), &tokens.mdm),
        ("Gateway", TRUST.join(" "), &tokens.trust),
        ("Another tenant", "all scopes".to_owned(), &tokens.other_tenant),
    ] {
        let _ = write!(text, "  {who} ({may})\n{token}\n");
    }
    text
}

fn first_calls(folder: &Folder, stack: &Stack) -> String {
    let url = &stack.facts.url;
    let header = quoted(&format!("@{}", folder.admin_header().display()));
    let integrations = format!("{url}/integrations/okta-device-trust");
    format!(
        "\nTry it: check readiness, connect the simulated org, list the integrations.\n\
         curl -s {url}/health/ready\n\
         curl -s -H {header} -H 'Content-Type: application/json' \
         -d '{{\"okta_domain\": \"https://acme-admin.okta.com/admin/dashboard\"}}' {integrations}\n\
         curl -s -H {header} {integrations}\n"
    )
}

fn footer(folder: &Folder, stack: &Stack) -> String {
    let mut text = String::from("\n");
    row(&mut text, "For scripts", &format!(". {}", quoted(&folder.env().to_string_lossy())));
    row(&mut text, "Guided tour", "cargo dev tour");
    row(&mut text, "Data", &place(folder, stack.data_dir()));
    row(&mut text, "Start over", "cargo dev --fresh");
    row(&mut text, "Stop", "Ctrl-C");
    text
}

fn place(folder: &Folder, data: &Path) -> String {
    let here = folder.path().display();
    if data.starts_with(folder.path()) {
        here.to_string()
    } else {
        format!("{here}, PostgreSQL's in {}", data.display())
    }
}
