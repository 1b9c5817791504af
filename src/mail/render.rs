//! What a letter says: its subject, its plain text and its HTML. Both texts are made of the same blocks; the layouts are in
//! `templates/mail/`.

use super::letter::{Content, Letter};
use super::texts::{Texts, fill, of};
use super::transport::Failure;
use super::{clean, when};
use askama::Template;

/// How many people a digest names.
const DIGEST: usize = 200;

/// A letter, ready to be put into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A part of a letter. Its texts are plain; the HTML layout escapes them.
enum Block {
    Text(String),
    Link {
        label: &'static str,
        url: String,
    },
    /// What somebody else wrote.
    Note {
        intro: String,
        lines: Vec<String>,
    },
    List(Vec<String>),
    Command(String),
}

#[derive(Template)]
#[template(path = "mail/letter.txt", escape = "none")]
struct Plain<'a> {
    greeting: &'a str,
    blocks: &'a [Block],
    footer: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    texts: &'a Texts,
    subject: &'a str,
    greeting: &'a str,
    blocks: &'a [Block],
    footer: &'a str,
}

/// Writes a letter in its receiver's language.
///
/// # Errors
/// `Refused` when its link is no web address, `Broken` when a layout cannot be filled in.
pub fn render(letter: &Letter) -> Result<Rendered, Failure> {
    let writer = Writer { texts: of(&letter.locale), organisation: clean::name(&letter.organisation) };
    let (subject, name, blocks) = writer.content(&letter.content)?;
    let subject = clean::subject(&subject);
    let name = clean::name(name);
    let greeting = if name.is_empty() { writer.texts.hello_nobody.to_owned() } else { fill(writer.texts.hello, &[("name", &name)]) };
    let footer = writer.say(writer.texts.footer, &[]);
    let broken = |e: askama::Error| Failure::Broken(format!("the layout of letters cannot be filled in: {e}"));
    let (greeting, blocks, footer) = (&*greeting, &*blocks, &*footer);
    let text = Plain { greeting, blocks, footer }.render().map_err(broken)?;
    let html = Html { texts: writer.texts, subject: &subject, greeting, blocks, footer }.render().map_err(broken)?;
    Ok(Rendered { subject, text, html })
}

/// What an invitation and its reminder have in common.
struct Offer<'a> {
    link: &'a str,
    expires: i64,
    time_zone: &'a str,
    note: Option<&'a str>,
    sso: bool,
}

/// The subject, whom the letter greets, and its blocks.
type Parts<'a> = (String, &'a str, Vec<Block>);

struct Writer {
    texts: &'static Texts,
    organisation: String,
}

impl Writer {
    fn say(&self, text: &str, values: &[(&str, &str)]) -> String {
        let cleaned: Vec<(&str, String)> = values.iter().map(|(key, value)| (*key, clean::value(value))).collect();
        let mut all: Vec<(&str, &str)> = cleaned.iter().map(|(key, value)| (*key, value.as_str())).collect();
        all.push(("organisation", &self.organisation));
        fill(text, &all)
    }

    fn block(&self, text: &str, values: &[(&str, &str)]) -> Block {
        Block::Text(self.say(text, values))
    }

    fn content<'a>(&self, content: &'a Content) -> Result<Parts<'a>, Failure> {
        let t = self.texts;
        Ok(match content {
            Content::Invitation { name, link, expires, time_zone, note, sso } => {
                let offer = Offer { link, expires: *expires, time_zone, note: note.as_deref(), sso: *sso };
                (self.say(t.invitation_subject, &[]), name, self.offer(t.invitation_opening, &offer)?)
            }
            Content::Reminder { name, link, expires, time_zone, note, sso } => {
                let offer = Offer { link, expires: *expires, time_zone, note: note.as_deref(), sso: *sso };
                (self.say(t.reminder_subject, &[]), name, self.offer(t.reminder_opening, &offer)?)
            }
            Content::AddressChanged { name, old, new } => {
                let blocks = vec![self.block(t.address_body, &[("old", old), ("new", new)]), self.block(t.address_check, &[])];
                (self.say(t.address_subject, &[]), name, blocks)
            }
            Content::GroupChanged { name, group, added } => {
                let (subject, body) = if *added { (t.added_subject, t.added_body) } else { (t.removed_subject, t.removed_body) };
                (self.say(subject, &[("group", group)]), name, vec![self.block(body, &[("group", group)])])
            }
            Content::Digest { people, time_zone, tenant } => {
                let subject = self.say(t.digest_subject, &[("count", &people.len().to_string())]);
                (subject, "", self.digest(people, time_zone, tenant))
            }
            Content::Frozen { count, base, tenant } => {
                let (count, base) = (count.to_string(), base.to_string());
                let body = self.block(t.frozen_body, &[("count", &count), ("base", &base)]);
                let command = format!("rollbook member confirm {}", clean::argument(tenant, "TENANT"));
                let blocks = vec![body, self.block(t.frozen_check, &[]), Block::Command(command), self.block(t.frozen_else, &[])];
                (self.say(t.frozen_subject, &[]), "", blocks)
            }
            Content::Recovered { name, id, tenant } => {
                let body = self.block(t.recovered_body, &[("name", name), ("id", id)]);
                let (tenant, id) = (clean::argument(tenant, "TENANT"), clean::argument(id, "ID"));
                let command = Block::Command(format!("rollbook member timeline {tenant} {id}"));
                (self.say(t.recovered_subject, &[]), "", vec![body, self.block(t.recovered_check, &[]), command])
            }
            Content::TokenExpires { name, id, expires, time_zone, tenant } => {
                let time = when::local(*expires, time_zone, t);
                let body = self.block(t.token_body, &[("name", name), ("time", &time)]);
                let (tenant, id) = (clean::argument(tenant, "TENANT"), clean::argument(id, "ID"));
                let command = Block::Command(format!("rollbook token rotate {tenant} {id}"));
                (self.say(t.token_subject, &[("name", name)]), "", vec![body, self.block(t.token_rotate, &[]), command])
            }
        })
    }

    fn offer(&self, opening: &str, offer: &Offer<'_>) -> Result<Vec<Block>, Failure> {
        let t = self.texts;
        let web = offer.link.starts_with("https://") || offer.link.starts_with("http://");
        if !web || offer.link.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Failure::Refused("the letter's link is no web address".to_owned()));
        }
        let mut blocks = vec![self.block(opening, &[])];
        let lines = offer.note.map(clean::note).unwrap_or_default();
        if !lines.is_empty() {
            blocks.push(Block::Note { intro: self.say(t.note_from, &[]), lines });
        }
        let until = when::local(offer.expires, offer.time_zone, t);
        blocks.extend([
            self.block(if offer.sso { t.accept_sso } else { t.accept }, &[]),
            Block::Link { label: t.accept_label, url: offer.link.to_owned() },
            self.block(t.valid_until, &[("time", &until)]),
            self.block(t.personal, &[]),
            self.block(t.unexpected, &[]),
        ]);
        Ok(blocks)
    }

    fn digest(&self, people: &[(String, String, i64)], time_zone: &str, tenant: &str) -> Vec<Block> {
        let t = self.texts;
        let line = |(name, id, at): &(String, String, i64)| {
            let time = when::local(*at, time_zone, t);
            self.say(t.digest_line, &[("name", name), ("id", id), ("time", &time)])
        };
        let mut lines: Vec<String> = people.iter().take(DIGEST).map(line).collect();
        if let Some(more) = people.len().checked_sub(DIGEST).filter(|n| *n > 0) {
            lines.push(self.say(t.digest_more, &[("count", &more.to_string())]));
        }
        let command = format!("rollbook member hold {} ID --reason TEXT", clean::argument(tenant, "TENANT"));
        vec![self.block(t.digest_opening, &[]), Block::List(lines), self.block(t.digest_hold, &[]), Block::Command(command)]
    }
}
