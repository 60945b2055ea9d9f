//! Parses `Link` headers (RFC 8288 §3): several headers, several links per header, and quoted values with
//! commas. The module `paging` decides whether a link may be followed.

/// One link of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The target, which may be relative.
    pub target: String,
    /// The relation types in lower case; `rel="a b"` has two.
    pub rels: Vec<String>,
}

/// Returns the target of the first link with this relation.
pub(super) fn find<'a>(values: impl IntoIterator<Item = &'a str>, rel: &str) -> Option<String> {
    let mut links = values.into_iter().flat_map(parse);
    links.find(|link| link.rels.iter().any(|known| known == rel)).map(|link| link.target)
}

/// Parses the links of a header value up to the first malformed one.
pub(super) fn parse(value: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((link, left)) = parse_link(rest) {
        links.push(link);
        rest = left;
    }
    links
}

/// Parses `<target> *( ; parameter )`. Returns the link and the rest of the text.
fn parse_link(text: &str) -> Option<(Link, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (target, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let mut rels = None;
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        let (name, value, left) = parse_parameter(parameter);
        // Only the first `rel` of a link counts (RFC 8288 §3.3).
        if name.eq_ignore_ascii_case("rel") && rels.is_none() {
            rels = Some(value.split_whitespace().map(str::to_ascii_lowercase).collect());
        }
        rest = left;
    }
    let link = Link { target: target.trim().to_owned(), rels: rels.unwrap_or_default() };
    Some((link, rest))
}

/// Parses `name`, `name=token` or `name="quoted \" text"`. Returns name, value and the rest of the text.
fn parse_parameter(text: &str) -> (&str, String, &str) {
    let text = text.trim_start();
    let (name, rest) = text.split_at(text.find(['=', ';', ',']).unwrap_or(text.len()));
    let Some(value) = rest.strip_prefix('=') else { return (name.trim_end(), String::new(), rest) };
    let value = value.trim_start();
    let (value, rest) = if let Some(quoted) = value.strip_prefix('"') {
        unquote(quoted)
    } else {
        let (token, rest) = value.split_at(value.find([';', ',']).unwrap_or(value.len()));
        (token.trim_end().to_owned(), rest)
    };
    (name.trim_end(), value, rest)
}

/// Parses text up to the closing quote and removes escapes. Returns it and the rest of the text.
fn unquote(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    (text, chars.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_page_is_found_among_several_headers() {
        let values = [
            r#"<https://acme.okta.com/api/v1/devices?limit=2>; rel="self""#,
            r#"<https://acme.okta.com/api/v1/devices?after=guo1&limit=2>; rel="next""#,
        ];
        let next = find(values, "next");
        assert_eq!(
            next.as_deref(),
            Some("https://acme.okta.com/api/v1/devices?after=guo1&limit=2")
        );
        assert_eq!(find(values[..1].iter().copied(), "next"), None);
    }

    #[test]
    fn several_links_with_special_characters_are_parsed() {
        let links = parse(
            r#"</a,b;c>;title="x, <y>; rel=\"next\"";rel="self  Start" , <>;REL = next; rel=last,</d>; flag"#,
        );
        let expected = [("/a,b;c", vec!["self", "start"]), ("", vec!["next"]), ("/d", vec![])];
        let found: Vec<_> = links
            .iter()
            .map(|l| (l.target.as_str(), l.rels.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn links_before_a_malformed_one_are_returned() {
        for (text, count) in [
            ("", 0),
            ("next", 0),
            ("<unclosed", 0),
            ("</a>; rel", 1),
            ("</a> junk, </b>", 1),
            ("</a>; rel=\"next", 1),
            (",, </a>,,</b>", 2),
        ] {
            assert_eq!(parse(text).len(), count, "{text}");
        }
    }

    fn quoted(text: &str) -> String {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in any::<String>()) {
            parse(&text);
        }

        #[test]
        fn no_malformed_link_causes_a_panic(text in r#"[<>;,="\\ a-z\t]{0,40}"#) {
            prop_assert!(parse(&text).len() <= text.matches('<').count());
        }

        #[test]
        fn links_survive_a_round_trip(
            links in prop::collection::vec(("[!-;=?-~]{1,30}", "\\PC{0,12}", prop::collection::vec("[a-z][a-z0-9.-]{0,8}", 1..3)), 0..5),
            separator in "[ \t]{0,2},[ \t]{0,2}",
        ) {
            let write = |(target, title, rels): &(String, String, Vec<String>)| {
                format!("<{target}>; title={}; rel={}", quoted(title), quoted(&rels.join(" ")))
            };
            let text = links.iter().map(write).collect::<Vec<_>>().join(&separator);
            let expected: Vec<Link> = links.into_iter().map(|(target, _, rels)| Link { target, rels }).collect();
            prop_assert_eq!(parse(&text), expected);
        }
    }
}
