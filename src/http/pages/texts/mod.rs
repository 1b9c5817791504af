//! The words of the claim pages, one file a language, and which language a visitor gets.
//!
//! `{word}` in a text stands for a value; [`fill`] puts it in.

mod de;
mod en;
mod es;
mod fr;

/// Declares the texts, so that a language which lacks one does not compile.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Every text of the pages in one language.
        #[derive(Debug)]
        pub struct Texts { $($(#[$doc])* pub $name: &'static str,)* }

        impl Texts {
            /// Every text with its name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

texts! {
    /// The language's code, as in `<html lang>`.
    lang,

    // The page behind a link, also the second step of a code.
    claim_title,
    claim_heading,
    claim_lead,
    claim_lead_named,
    organisation,
    name,
    user_name,
    what_button,
    what_password,
    what_sso,
    next_application,
    next_close,
    not_you,
    claim_button,
    sso_button,
    help,

    password,
    password_again,
    password_hint,
    password_optional,
    password_missing,
    password_short,
    password_long,
    password_known,
    password_mismatch,

    // The page that asks for a code.
    code_title,
    code_lead,
    code_label,
    code_hint,
    code_missing,
    code_button,

    // Pages that only say something: a heading, then a sentence or two.
    done_heading,
    done_text,
    used_heading,
    used_text,
    used_link,
    gone_heading,
    gone_text,
    unknown_heading,
    unknown_text,
    unknown_link,
    many_heading,
    many_soon,
    many_later,
    stale_heading,
    stale_text,
    again_link,
    odd_heading,
    odd_text,
    busy_heading,
    busy_text,
    broken_heading,
    broken_text,
    reference,
}

/// Every language; the first is the one for visitors who speak none of them.
pub const LANGUAGES: [&Texts; 4] = [&en::TEXTS, &de::TEXTS, &fr::TEXTS, &es::TEXTS];

/// The texts for a locale such as `de-AT` or `fr_CA`, when there are any.
#[must_use]
pub fn of_locale(locale: &str) -> Option<&'static Texts> {
    let language = locale.trim().split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.into_iter().find(|t| t.lang.eq_ignore_ascii_case(language))
}

/// The texts that suit an `Accept-Language` header best (RFC 9110 §12.5.4).
#[must_use]
pub fn accepted(header: &str) -> &'static Texts {
    let mut best: (f32, &'static Texts) = (0.0, &en::TEXTS);
    for item in header.split(',') {
        let (tag, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
        let weight = parameter.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(0.0);
        if let Some(texts) = of_locale(tag).filter(|_| weight > best.0) {
            best = (weight, texts);
        }
    }
    best.1
}

/// Puts values in the places of a text that bear their names. What a value contains stays as it is.
#[must_use]
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, after))) = rest.split_once('{').and_then(|(b, r)| Some((b, r.split_once('}')?))) {
        out.push_str(before);
        out.push_str(values.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_wins() {
        for (header, lang) in [
            ("", "en"),
            ("de", "de"),
            ("nl, fr-CH;q=0.8, de;q=0.9", "de"),
            ("es-419,es;q=0.9,en;q=0.8", "es"),
            ("fr;q=0, *", "en"),
            ("DE-at;q=0.1", "de"),
            ("nl", "en"),
            (";;,,q=", "en"),
        ] {
            assert_eq!(accepted(header).lang, lang, "{header}");
        }
        assert_eq!(of_locale("de_AT").map(|t| t.lang), Some("de"));
        assert!(of_locale("nl-NL").is_none() && of_locale("").is_none());
    }

    #[test]
    fn values_are_put_in_once() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "c")]), "{b} and c");
        assert_eq!(fill("plain", &[("a", "x")]), "plain");
    }
}
