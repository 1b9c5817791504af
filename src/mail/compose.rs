//! The message around a letter's texts: headers and parts. Nothing foreign reaches a header without being cleaned first.

use super::letter::{Address, Letter};
use super::render::{Rendered, render};
use super::transport::Failure;
use super::{clean, when};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};
use std::time::{Duration, UNIX_EPOCH};

/// Makes a letter into a message. The same letter always gives the same bytes.
///
/// # Errors
/// `Refused` when the receiver's address or the letter itself cannot be used, `Broken` when the sender's address cannot.
pub fn compose(letter: &Letter) -> Result<Message, Failure> {
    let from = mailbox(&letter.from).ok_or_else(|| Failure::Broken("the sender's address cannot be used".to_owned()))?;
    let to = mailbox(&letter.to).ok_or_else(|| Failure::Refused("the receiver's address cannot be used".to_owned()))?;
    let id = format!("<{}@{}>", checked_id(&letter.id)?, from.email.domain());
    let rendered = render(letter)?;
    let seconds = u64::try_from(when::seconds(letter.date)).unwrap_or_default();
    Message::builder()
        .from(from)
        .to(to)
        .subject(rendered.subject.clone())
        .date(UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(id))
        // RFC 3834: no out-of-office notes in return.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(parts(&letter.id, rendered))
        .map_err(|e| Failure::Broken(format!("the message cannot be made: {e}")))
}

/// A letter's id, which becomes part of a header and of a file's name.
///
/// # Errors
/// `Refused` when it has other characters than letters, digits, `-`, `_` and `.`, or begins with one of these.
pub(super) fn checked_id(id: &str) -> Result<&str, Failure> {
    let plain = id.starts_with(|c: char| c.is_ascii_alphanumeric()) && clean::argument(id, "") == id && id.len() <= 100;
    if plain { Ok(id) } else { Err(Failure::Refused("the letter has no usable id".to_owned())) }
}

fn parts(id: &str, rendered: Rendered) -> MultiPart {
    let mut hash = Sha256::new();
    for text in [id, &rendered.text, &rendered.html] {
        hash.update(text.as_bytes());
    }
    // Nobody can write a text that holds its own hash, so no part can end early.
    let boundary: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let alternative = MultiPart::alternative().boundary(boundary);
    alternative.singlepart(SinglePart::plain(rendered.text)).singlepart(SinglePart::html(rendered.html))
}

fn mailbox(address: &Address) -> Option<Mailbox> {
    let unruly = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>');
    if address.address.contains(unruly) {
        return None;
    }
    let (user, domain) = address.address.rsplit_once('@')?;
    let domain = if domain.is_ascii() { domain.to_owned() } else { url::Host::parse(domain).ok()?.to_string() };
    let name = Some(clean::name(&address.name)).filter(|name| !name.is_empty());
    Some(Mailbox::new(name, lettre::Address::new(user, domain).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Option<String> {
        let address = Address { name: String::new(), address: address.to_owned() };
        mailbox(&address).map(|m| m.email.to_string())
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(at("first@example.com").as_deref(), Some("first@example.com"));
        assert_eq!(at("first@bücher.example").as_deref(), Some("first@xn--bcher-kva.example"));
        assert_eq!(at("zoë@example.com").as_deref(), Some("zoë@example.com"));
        let bad = ["", "first", "@example.com", "first@", "a@b@c", "a b@example.com", "a@example.com\r\nBcc: x@example.com"];
        for address in
            bad.into_iter().chain(["a@example.com>", "a\u{85}@example.com", "first@exa mple.com", "a@-example-.com,b@example.com"])
        {
            assert_eq!(at(address), None, "{address:?}");
        }
    }

    #[test]
    fn ids_lead_nowhere_else() {
        assert!(checked_id("0198c1f2-1111-7000-8000-000000000001").is_ok());
        for id in ["", "../x", "a/b", "a\\b", ".hidden", "-x", "a b", "a\r\nb", "a@b", &"x".repeat(101)] {
            assert!(matches!(checked_id(id), Err(Failure::Refused(_))), "{id:?}");
        }
    }
}
