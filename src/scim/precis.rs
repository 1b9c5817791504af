//! Preparing user names and passwords (RFC 8265).
//!
//! Names are compared by [`super::value::fold`], which takes for one whatever `UsernameCaseMapped` does, and some more: `ß` and `ss`.

use super::error::Error;
use precis_profiles::precis_core::{Error as Fault, UnexpectedError, profile::PrecisFastInvocation};
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use unicode_normalization::UnicodeNormalization;

/// Refuses a user name with a part, between spaces, that is none of `UsernameCaseMapped` (RFC 8265 §3.3).
///
/// # Errors
/// 400 `invalidValue` that names the code point.
pub fn check_user_name(text: &str) -> Result<(), Error> {
    for part in text.split(' ') {
        UsernameCaseMapped::enforce(part).map_err(|fault| refused("userName", &fault, part.is_empty()))?;
    }
    Ok(())
}

/// Refuses a password that is no `OpaqueString` (RFC 8265 §4.2).
///
/// # Errors
/// As [`check_user_name`].
pub fn check_password(text: &str) -> Result<(), Error> {
    OpaqueString::enforce(text).map(drop).map_err(|fault| refused("password", &fault, text.is_empty()))
}

/// A password as `OpaqueString` compares it: every space is U+0020, in NFC. What is outside the class stays.
#[must_use]
pub fn opaque(text: &str) -> String {
    text.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc().collect()
}

/// Spaces other than U+0020: the category Zs.
fn is_space(c: char) -> bool {
    matches!(c, '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

fn refused(name: &str, fault: &Fault, empty: bool) -> Error {
    match fault {
        Fault::BadCodepoint(at)
        | Fault::Unexpected(UnexpectedError::ContextRuleNotApplicable(at) | UnexpectedError::MissingContextRule(at)) => {
            Error::value(format!("{name} has the character U+{:04X} in it, which this tenant does not take there (RFC 8265)", at.cp))
        }
        _ if empty => {
            Error::value(format!("{name} begins or ends with a space, or has two in a row, which this tenant does not take (RFC 8265)"))
        }
        _ => Error::value(format!("{name} mixes directions of writing as this tenant does not take it (RFC 8265)")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::fold;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_the_class() {
        for good in ["first@example.com", "ＢＪＥＮＳＥＮ", "Sam Example", "jürgen.müller", "σας", "a'b+c", "мария", "ナカ"]
        {
            check_user_name(good).unwrap();
        }
        for (bad, point) in
            [("a\u{2665}b", "U+2665"), ("a\u{7}", "U+0007"), ("\u{2163}", "U+2163"), ("a\u{A0}b", "U+00A0"), ("\u{1F600}", "U+1F600")]
        {
            let detail = check_user_name(bad).unwrap_err().detail;
            assert!(detail.contains(point) && detail.contains("userName"), "{detail}");
        }
        for bad in ["", " a", "a ", "a  b", "\u{5d0}a"] {
            assert!(check_user_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_in_the_class() {
        for good in ["correct horse", "π ÷ 2 \u{2603}", "\u{3000}x"] {
            check_password(good).unwrap();
            assert_eq!(opaque(good), OpaqueString::enforce(good).unwrap());
        }
        assert!(check_password("a\u{7}").unwrap_err().detail.contains("U+0007"));
        assert_eq!(opaque("a\u{A0}e\u{301}\u{3000}Ａ"), "a \u{e9} Ａ");
    }

    #[test]
    fn every_space_is_one() {
        let odd = ('\u{80}'..=char::MAX).filter(|c| OpaqueString::enforce(c.to_string()).is_ok_and(|s| s == " "));
        assert!(odd.eq(('\u{80}'..=char::MAX).filter(|c| is_space(*c))));
    }

    /// R042 R232: each letter, and each with another behind it, is folded as its prepared form is.
    #[test]
    fn one_letter_is_folded_as_it_is_prepared() {
        for c in '\u{21}'..=char::MAX {
            let text = c.to_string();
            if let Ok(prepared) = UsernameCaseMapped::enforce(text.as_str()) {
                assert_eq!(fold(&prepared), fold(&text), "U+{:04X}", u32::from(c));
            }
        }
    }

    proptest! {
        /// R042 R232: what the profile takes for one name, the index of names does too.
        #[test]
        fn names_are_folded_as_they_are_prepared(text in "[\\PC]{1,6}") {
            if let Ok(prepared) = UsernameCaseMapped::enforce(text.as_str()) {
                prop_assert_eq!(fold(&prepared), fold(&text));
            }
        }
    }
}
