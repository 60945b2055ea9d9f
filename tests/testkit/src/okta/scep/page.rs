//! The challenge page or its error pages, as Microsoft's NDES generates them.

use super::knobs::{ChallengePage, PageEncoding, ScepKnobs};

/// A placeholder for the challenge, whose case must not change with that of the page.
const PLACE: &str = "\u{1}";

const OVERSIZED: usize = 5 * 1024 * 1024;

/// Renders the page. Creates a challenge only for a page that shows one.
pub(super) fn render(knobs: &ScepKnobs, mut mint: impl FnMut() -> String) -> Vec<u8> {
    let sentence =
        |token: &str| format!("<P> The enrollment challenge password is: <B> {token} </B>");
    let with = |shown: String| {
        document(&format!(
            "<P> To complete certificate enrollment for your network device you will need the following \
             information:{shown}<P> This password can be used only once and will expire within 60 minutes.\
             <P> Each enrollment requires a new challenge password. You can refresh this web page to obtain \
             a new challenge password."
        ))
    };
    let mut page = match knobs.page {
        ChallengePage::Challenge => with(sentence(PLACE)),
        ChallengePage::TwoChallenges => with(sentence(PLACE).repeat(2)),
        ChallengePage::WithoutChallenge => with(sentence("")),
        ChallengePage::Oversized => {
            with(format!("<!-- {} -->{}", "x".repeat(OVERSIZED), sentence(PLACE)))
        }
        ChallengePage::CacheFull => document(
            "<P> The password cache is full. <P> By default, NDES can store up to 5 passwords at a time.",
        ),
        ChallengePage::NoPermission => document(
            "<P> You do not have sufficient permission to enroll with SCEP. Please contact your system administrator.",
        ),
        ChallengePage::SignIn => document("<H1>Sign in</H1><P> Enter your user name."),
        ChallengePage::Empty => String::new(),
    };
    if knobs.lower_case {
        page = page.to_lowercase();
    }
    while page.contains(PLACE) {
        let token = mint();
        let token = if knobs.html_entities { entities(&token) } else { token };
        page = page.replacen(PLACE, &token, 1);
    }
    encode(&page, knobs.encoding)
}

fn document(body: &str) -> String {
    format!(
        "<HTML><Head><Meta HTTP-Equiv=\"Content-Type\" Content=\"text/html; charset=UTF-8\">\
         <Title>Network Device Enrollment Service</Title></Head><Body BgColor=#FFFFFF>\
         <Font ID=locPageTitle Face=\"Arial\">Network Device Enrollment Service – für Geräte</Font>{body}</Body></HTML>"
    )
}

fn entities(token: &str) -> String {
    let numeric: String = token.bytes().map(|byte| format!("&#x{byte:x};")).collect();
    format!("&nbsp;{numeric}&nbsp;")
}

fn encode(page: &str, encoding: PageEncoding) -> Vec<u8> {
    let marked = format!("\u{feff}{page}");
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    match encoding {
        PageEncoding::Windows1252 => page.chars().map(windows_1252).collect(),
        PageEncoding::Utf8 => page.as_bytes().to_vec(),
        PageEncoding::Utf8Bom => marked.into_bytes(),
        PageEncoding::Utf16Le => little(page),
        PageEncoding::Utf16LeBom => little(&marked),
        PageEncoding::Utf16Be => big(page),
        PageEncoding::Utf16BeBom => big(&marked),
    }
}

/// The dash is the only character used here that Latin-1 lacks.
fn windows_1252(c: char) -> u8 {
    if c == '–' { 0x96 } else { u8::try_from(c).unwrap_or(b'?') }
}
