//! What makes foreign text harmless: names and notes of tenants and people, and answers of mail servers.

/// The longest name in a letter or a header.
const NAME: usize = 100;
/// The longest value within a text; no address is longer.
const VALUE: usize = 254;
/// The longest subject.
const SUBJECT: usize = 150;
/// The longest note.
const NOTE: usize = 2_000;
/// The longest answer of a mail server that is kept.
const ANSWER: usize = 200;

/// Whether a character could break a line or turn its direction around.
fn is_unruly(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn one_line(text: &str, longest: usize) -> String {
    let plain: String = text.chars().map(|c| if is_unruly(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(longest).collect()
}

/// A name in one line of up to 100 characters.
#[must_use]
pub fn name(text: &str) -> String {
    one_line(text, NAME)
}

/// A value within a text, in one line of up to 254 characters.
#[must_use]
pub fn value(text: &str) -> String {
    one_line(text, VALUE)
}

/// A subject in one line of up to 150 characters. What looks like an encoded word (RFC 2047) is broken up, or a reader
/// would decode it.
#[must_use]
pub fn subject(text: &str) -> String {
    one_line(&text.replace("=?", "= ?"), SUBJECT)
}

/// The lines of a note of up to 2,000 characters, without control characters.
#[must_use]
pub fn note(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain: String = text.chars().filter(|c| *c == '\n' || !is_unruly(*c)).take(NOTE).collect();
    plain.trim().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A word as part of a command that an administrator may copy: itself if it is plain, else the `placeholder`.
#[must_use]
pub fn argument<'a>(word: &'a str, placeholder: &'a str) -> &'a str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !word.starts_with('-') && !word.is_empty() && word.chars().all(plain) { word } else { placeholder }
}

/// A mail server's answer without addresses: it is kept when the person is long gone. `receiver` is the address that the
/// letter was for; its local part alone goes as well.
#[must_use]
pub fn answer(text: &str, receiver: &str) -> String {
    let gone = "<address>";
    let local = receiver.rsplit_once('@').map_or(receiver, |(local, _)| local);
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let hidden = |word: &str| word.contains('@') || word.to_lowercase().contains("%40") || bare(word) == bare(local);
    // A quoted local part may hold spaces; what is left of it is found as a whole.
    let text = if local.is_empty() { text.to_owned() } else { text.replace(receiver, gone) };
    let words = text.split(|c: char| c.is_whitespace() || is_unruly(c)).filter(|w| !w.is_empty());
    let kept: Vec<&str> = words.map(|word| if hidden(word) { gone } else { word }).collect();
    kept.join(" ").chars().take(ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_one_line() {
        assert_eq!(name("A\r\nBcc: x\u{2028}\u{0}B\u{202E}"), "A Bcc: x B");
        assert_eq!(name(&"ä".repeat(200)).chars().count(), NAME);
        assert_eq!(subject("=?utf-8?q?a?="), "= ?utf-8?q?a?=");
        assert_eq!(subject(&"x".repeat(500)).len(), SUBJECT);
    }

    #[test]
    fn notes_keep_their_lines_only() {
        assert_eq!(note(" one\r\ntwo\rthree\u{7}\t!\n"), ["one", "two", "three!"]);
        assert_eq!(note(&"x".repeat(3_000)).concat().len(), NOTE);
        assert!(note("\u{0}\n ").is_empty());
    }

    #[test]
    fn commands_take_plain_words_only() {
        assert_eq!(argument("acme-1", "TENANT"), "acme-1");
        for word in ["", "a b", "$(x)", "--all", "a;b", "ä"] {
            assert_eq!(argument(word, "TENANT"), "TENANT");
        }
    }

    #[test]
    fn answers_name_nobody() {
        let receiver = "first.last@example.com";
        let said = "5.1.1 <First.Last@example.com>: user first.last, unknown\r\nsee other@example.net first.last%40example.com";
        assert_eq!(answer(said, receiver), "5.1.1 <address> user <address> unknown see <address> <address>");
        assert_eq!(answer(&"x ".repeat(500), receiver).len(), ANSWER);
        assert_eq!(answer("no \"a b\"@example.com here", "\"a b\"@example.com"), "no <address> here");
        assert_eq!(answer("4.3.0 later", ""), "4.3.0 later");
    }
}
