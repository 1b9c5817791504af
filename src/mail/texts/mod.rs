//! The words of letters, a file for each language. `{name}` stands for a value; which values a text may use can be seen
//! in the English one.

mod de;
mod en;
mod es;
mod fr;

/// Every language; the first one is for whoever speaks none of them.
pub const LANGUAGES: [&Texts; 4] = [&en::TEXTS, &de::TEXTS, &fr::TEXTS, &es::TEXTS];

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The words of one language.
        pub struct Texts {
            /// January to December, as they stand within a date.
            pub months: [&'static str; 12],
            /// What the language calls some time zones, if not by the abbreviation that everybody uses.
            pub zones: &'static [(&'static str, &'static str)],
            $($(#[$doc])* pub $name: &'static str,)*
        }

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
    /// BCP 47.
    language,
    /// A date with its time and zone.
    date,
    /// The first day of a month, which French counts differently.
    first_day,
    hello,
    /// When no name is known.
    hello_nobody,
    invitation_subject,
    invitation_opening,
    reminder_subject,
    reminder_opening,
    /// What to do with the link.
    accept,
    /// The same where one goes on with the organisation's sign-in.
    accept_sso,
    /// On the button.
    accept_label,
    /// Before the link's address.
    link_written,
    valid_until,
    personal,
    unexpected,
    note_from,
    address_subject,
    address_body,
    address_check,
    added_subject,
    added_body,
    removed_subject,
    removed_body,
    digest_subject,
    digest_opening,
    digest_line,
    digest_more,
    /// Before the command that stops an anonymisation.
    digest_hold,
    frozen_subject,
    frozen_body,
    /// Before the command that lets anonymisation go on.
    frozen_check,
    frozen_else,
    recovered_subject,
    recovered_body,
    /// Before the command that shows what happened.
    recovered_check,
    token_subject,
    token_body,
    /// Before the command that begins to rotate it.
    token_rotate,
    footer,
}

/// The texts for a locale: those of its language, else the English ones.
#[must_use]
pub fn of(locale: &str) -> &'static Texts {
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    let [first, ..] = LANGUAGES;
    LANGUAGES.into_iter().find(|t| t.language.eq_ignore_ascii_case(language)).unwrap_or(first)
}

/// A text with its values. What a value says is not looked at again, so `{link}` as somebody's name stays what it is.
#[must_use]
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (key, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(values.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<&str> {
        let mut keys: Vec<_> = text.split('{').skip(1).map(|part| part.split_once('}').unwrap().0).collect();
        keys.sort_unstable();
        keys
    }

    /// No language lacks a text, and each has the values that the English one has.
    #[test]
    fn every_language_has_every_text() {
        let english = LANGUAGES[0].all();
        for texts in LANGUAGES {
            for ((name, text), (_, model)) in texts.all().into_iter().zip(&english) {
                assert!(!text.trim().is_empty(), "{}: {name} is empty", texts.language);
                assert_eq!(keys(text), keys(model), "{}: {name}", texts.language);
            }
            assert!(texts.months.iter().all(|m| m.chars().count() > 2), "{}", texts.language);
        }
    }

    /// A text that was copied but not translated.
    #[test]
    fn no_language_repeats_the_english_words() {
        let same = ["digest_line", "first_day"];
        for texts in LANGUAGES.into_iter().skip(1) {
            let pairs = texts.all().into_iter().zip(LANGUAGES[0].all());
            let copied: Vec<_> = pairs.filter(|(a, b)| a.1 == b.1 && !same.contains(&a.0)).map(|(a, _)| a.0).collect();
            assert!(copied.is_empty(), "{}: {copied:?}", texts.language);
        }
    }

    #[test]
    fn a_locale_falls_back_to_its_language_and_then_to_english() {
        let language = |locale| of(locale).language;
        assert_eq!(["de", "de-CH", "DE_at", "fr-CA", "es-419"].map(language), ["de", "de", "de", "fr", "es"]);
        assert_eq!(["", "nl", "english", "deu", "-de", "en-GB"].map(language), ["en"; 6]);
    }

    #[test]
    fn values_are_not_texts() {
        assert_eq!(fill("{a} and {b}!", &[("a", "{b}"), ("b", "2")]), "{b} and 2!");
        assert_eq!(fill("no value: {c}.", &[]), "no value: .");
        assert_eq!(fill("open {", &[]), "open ");
    }
}
