//! Reads `Link` headers (RFC 8288 §3): several headers, several links in each, quoted values with
//! commas inside. Pure; whether a target may be followed is decided in `paging`.

/// One link of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The target as written, perhaps relative.
    pub target: String,
    /// The relation types in lower case; `rel="a b"` has two.
    pub rels: Vec<String>,
}

/// The target of the first link of this relation in any of the header values.
pub(super) fn find<'a>(values: impl IntoIterator<Item = &'a str>, rel: &str) -> Option<String> {
    let mut links = values.into_iter().flat_map(parse);
    links.find(|link| link.rels.iter().any(|known| known == rel)).map(|link| link.target)
}

/// All links of one header value. What is malformed ends the reading; links before it count.
pub(super) fn parse(value: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((link, left)) = parse_link(rest) {
        links.push(link);
        rest = left;
    }
    links
}

/// `<target> *( ; parameter )`, and what follows it.
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

/// `name`, `name=token` or `name="quoted \" text"`, and what follows it.
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

/// The text up to the closing quote, without its escapes, and what follows the quote.
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
    fn links_in_one_header_with_tricky_values_are_told_apart() {
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
    fn malformed_headers_give_what_could_be_read() {
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
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            parse(&text);
        }

        #[test]
        fn nearly_a_link_is_read_without_a_panic(text in r#"[<>;,="\\ a-z\t]{0,40}"#) {
            prop_assert!(parse(&text).len() <= text.matches('<').count());
        }

        #[test]
        fn what_is_written_is_read_again(
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
